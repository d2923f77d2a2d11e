"""Makes `gan_keras/data/digits.npz`, the embedded data set, from scikit-learn's copy.

The digits are the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
C. Kaynak, UCI Machine Learning Repository 1998, https://doi.org/10.24432/C50P49, licensed
CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Changed here: their 17 levels, 0 to
16, are spread over 0 to 255.

Usage: python scripts/make_digits.py [output.npz]
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

OUTPUT = Path(__file__).parent.parent / "gan_keras" / "data" / "digits.npz"
SOURCE = "E. Alpaydin, C. Kaynak (1998), UCI, https://doi.org/10.24432/C50P49, CC BY 4.0"


def main(output=OUTPUT):
    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    np.savez_compressed(
        output, images=images, labels=labels.astype(np.uint8), source=np.array(SOURCE)
    )
    print(f"{output}: {len(images):,} images, {Path(output).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
