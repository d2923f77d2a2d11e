"""Scores of generated samples, as pure functions on arrays: numpy, scipy, scikit-learn.

`frechet`, `kid` and `neighbours` compare features of real and generated images; `parzen` gives
the log-likelihood of the GAN paper; `modes` judges samples of a mixture that is known;
`duplicates` tells how many pairs of samples are alike;
`bootstrap` says how sure any of them is. Under them, `rows` is what they all accept and
`distances` what pairs of rows cost.

Real before generated everywhere. Every score is computed in float64, whatever float comes in.
"""
