"""Writes docs/notebooks/gan_in_ten_steps.ipynb and its Chinese twin: the same cells, run once.

    pip install '.[notebook]'
    python scripts/make_notebooks.py

The texts stand here, once in each language, beside the code that both have.
"""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NAMES = ("gan_in_ten_steps.ipynb", "gan_in_ten_steps.zh.ipynb")  # English, Chinese.
SECONDS = 600  # That a cell may take, on a machine that has other work.

TITLES = (
    """\
# A GAN in ten steps

[中文](gan_in_ten_steps.zh.ipynb) · For students: from two densities to a generator that answers
over the network, in a few minutes on two CPU cores. Run the cells from top to bottom.

It needs the package: in a checkout `pip install '.[notebook]'`, on Colab in a cell with `%` before it.
The mathematics is Goodfellow et al. 2014, [*Generative Adversarial
Nets*](https://arxiv.org/abs/1406.2661); [the theory in twelve steps](../theory.md) derives it.""",
    """\
# 十步做出一个 GAN

[English](gan_in_ten_steps.ipynb) · 写给学生：从两个概率密度出发，到一个能通过网络回答请求的生成器，两个 CPU 核上只要几分钟。请从上到下依次运行各个单元格。

需要先安装本软件包：在检出的目录里 `pip install '.[notebook]'`；在 Colab 上写在一个单元格里，前面加 `%`。数学内容依据 Goodfellow 等人 2014 年的论文 [*Generative Adversarial Nets*](https://arxiv.org/abs/1406.2661)，推导见[《十二步讲清 GAN 的原理》](../theory.zh.md)。""",
)

STEPS = [
    (
        """\
## 1. Two densities

The data come from p_data; here it is two Gaussians on a line, so that everything can be computed. A
generator turns noise into samples, whose density is called p_g. Before it has learnt anything, say
that it passes standard normal noise on as it is.""",
        """\
## 1. 两个密度

真实数据服从 p_data；这里取直线上的两个高斯分布，这样一切都能算出来。生成器把噪声变成样本，样本的密度记作 p_g。假设它还什么都没有学，只是把标准正态噪声原样输出。""",
        """\
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # TensorFlow: errors only

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display

import gan_keras
from gan_keras import config, drawing, theory

STEPS = 600  # of each training below; more is better


def gaussian(x, mean, sigma):
    return np.exp(-(((x - mean) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))


x = np.linspace(-4, 4, 801)
p_data = 0.6 * gaussian(x, -1, 0.5) + 0.4 * gaussian(x, 1, 0.35)
p_g = gaussian(x, 0, 1)

plt.figure(figsize=(6, 2.5))
plt.plot(x, p_data, "k:", label="p_data")
plt.plot(x, p_g, "g", label="p_g")
plt.legend()
plt.show()""",
    ),
    (
        """\
## 2. The best discriminator

The discriminator D looks at an x and says how probable it is that x is real. For a fixed generator
the best answer is known: D\\*(x) = p_data(x) / (p_data(x) + p_g(x)).""",
        """\
## 2. 最优的判别器

判别器 D 看到一个 x，给出它是真实样本的概率。生成器固定时，最优的答案是已知的：D\\*(x) = p_data(x) / (p_data(x) + p_g(x))。""",
        """\
d_star = theory.optimal_discriminator(p_data, p_g)

plt.figure(figsize=(6, 2.5))
plt.plot(x, d_star, "tab:orange", label="D*")
plt.axhline(0.5, color="gray", linewidth=0.5)
plt.legend()
plt.show()""",
    ),
    (
        """\
## 3. What the game is worth

Both players play for V = E[log D(x)] + E[log(1 - D(G(z)))]: D wants it large, G small. No D has a
larger V than D\\*, and V of D\\* is -log 4 + 2 JSD(p_data, p_g). So a generator that plays against
the best discriminator brings p_g towards p_data, and -log 4 is where it ends. A D that tosses a
coin has that value from the start.""",
        """\
## 3. 博弈的价值

两个玩家争的是 V = E[log D(x)] + E[log(1 - D(G(z)))]：D 要它大，G 要它小。没有哪个 D 的 V 大于 D\\* 的 V，而 D\\* 的 V 等于 -log 4 + 2 JSD(p_data, p_g)。所以，面对最优判别器的生成器会让 p_g 靠近 p_data，终点是 -log 4。抛硬币的D 从一开始就是这个值。""",
        """\
cell = x[1] - x[0]
print(f"V of D*:         {theory.value(d_star, p_data, p_g, cell):.4f} nats")
print(f"-log 4 + 2 JSD:  {theory.generator_cost(p_data, p_g, cell):.4f} nats")
print(f"V of a coin:     {theory.value(np.full_like(x, 0.5), p_data, p_g, cell):.4f} nats")
print(f"JSD:             {theory.jsd(p_data, p_g, cell):.4f} nats")""",
    ),
    (
        """\
## 4. A run is a configuration

In practice p_data is unknown and D is a network that learns. The preset `gaussians_1d` is the game
of step 1 with two small networks; a run is described by one `Config`, and nothing else. Any field
can be set: here G learns at five times the preset's rate, so that a few hundred steps suffice.""",
        """\
## 4. 一次训练就是一份配置

实际问题里 p_data 是未知的，D 是一个要学习的网络。预设 `gaussians_1d` 就是第 1 步的博弈，配上两个小网络。一次训练完全由一份 `Config` 决定，每个字段都可以改：这里 G 的学习率是预设的五倍，几百步就够了。""",
        """\
game = config.from_preset(
    "gaussians_1d", steps=STEPS, learning_rate=1e-4, sample_every=max(1, STEPS // 24)
)
for name, value in config.differences(game).items():
    print(f"{name} = {value!r}")""",
    ),
    (
        """\
## 5. Train

Algorithm 1 of the paper: four updates of D, one of G, and again. The folder has all that the run
leaves: configuration, checkpoints, TensorBoard's files, pictures. `d_loss` is -V, so it ends near
log 4 = 1.386, and D(x) near 1/2.""",
        """\
## 5. 训练

论文的算法 1：D 更新四次，G 更新一次，如此反复。训练留下的一切都在一个文件夹里：配置、检查点、TensorBoard 的文件、图片。`d_loss` 就是 -V，所以最后接近 log 4 = 1.386，D(x) 接近 1/2。""",
        """\
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
outcome = gan_keras.train(game, folder / "line")
print(f"trained from step {outcome.first_step} to step {outcome.last_step}")""",
    ),
    (
        """\
## 6. Figure 1 of the paper, moving

Dotted: p_data. Green: p_g, and below the arrows from z to G(z) that make it. Blue: D. Orange: D\\*
for the p_g of that moment. D follows D\\* within a few steps, then G follows the slope of D, and
both curves sink to 1/2 as p_g comes to lie on p_data.""",
        """\
## 6. 会动的论文图 1

虚线是 p_data。绿线是 p_g，下面的箭头从 z 指向 G(z)，p_g 就是这样来的。蓝线是 D，橙线是此刻的 p_g 对应的 D\\*。D 几步之内就跟上 D\\*，随后 G 沿着 D 的斜率移动；p_g 与 p_data 重合时，两条曲线都落到 1/2。""",
        """\
animation = (folder / "line" / "samples" / "animation.gif").read_bytes()
# Not every viewer of notebooks takes a GIF for a picture; all take a PNG, and play what is in it.
Image(animation, format="png", width=480)""",
    ),
    (
        """\
## 7. A score, with its interval

The animation looks right; how far is p_g from p_data now? `evaluate` draws fresh samples and writes
score cards. Here the density is known, so that the score can be the true JSD, in nats: in step 3 it
was that of the untrained generator.""",
        """\
## 7. 带区间的分数

动画看起来没有问题，可是 p_g 现在离 p_data 有多远？`evaluate` 重新采样，并写出分数卡片。这里密度是已知的，所以分数可以是真正的 JSD，单位 nat；第 3 步里是未训练的生成器的 JSD。""",
        """\
for card in gan_keras.evaluate(folder / "line", metrics=["jsd"], references=False):
    low, high = card.interval["low"], card.interval["high"]
    print(f"{card.metric}: {card.value:.4f} [{low:.4f}, {high:.4f}] {card.unit}")""",
    ),
    (
        """\
## 8. From points to pictures

The same game, with convolutions in place of the small networks: UCI's handwritten digits, which
ship with the package, and their labels. `load` gives a generator that makes pictures; a seed and a label
give the same picture every time. The digits are still rough after so few steps.""",
        """\
## 8. 从点到图片

同样的博弈，只是把小网络换成卷积网络：数据是随包附带的 UCI 手写数字和它们的标签。`load` 得到一个能出图的生成器；同一个种子加同一个标签，每次都是同一张图。步数这么少，数字还比较粗糙。""",
        """\
digits = config.from_preset("digits_conditional", steps=STEPS, sample_every=STEPS)
gan_keras.train(digits, folder / "digits")
generator = gan_keras.load(folder / "digits")
labels = np.repeat(np.arange(10), 10)
pictures = generator.sample(count=100, seed=0, label=labels)
print(pictures.shape, pictures.dtype)
display(Image(drawing.encode_png(drawing.grid(pictures, columns=10, scale=2))))""",
    ),
    (
        """\
## 9. Export

An export is a folder that TensorFlow Serving loads: the generator alone, with its model card. We
export `pretrained:mnist`, which had 9,000 steps and ships with the package; write
`folder / "digits"` in its place, and it is your own generator that answers.""",
        """\
## 9. 导出

导出的结果是一个 TensorFlow Serving 能加载的文件夹：只有生成器，外加一张模型卡片。这里导出的是随包附带、训练了 9,000 步的 `pretrained:mnist`；换成 `folder / "digits"`，回答请求的就是你自己的生成器。""",
        """\
version = gan_keras.export("pretrained:mnist", folder / "exports")
for path in sorted(version.iterdir()):
    print(path.relative_to(folder))""",
    ),
    (
        """\
## 10. A generator that answers

`gan-keras-serve` answers like TensorFlow Serving. Here it runs beside the notebook, on a free port;
the client asks it for sevens over REST, as any program in the network could.""",
        """\
## 10. 会回答的生成器

`gan-keras-serve` 的回答与 TensorFlow Serving 一样。这里让它在笔记本旁边运行，占一个空闲的端口；客户端通过 REST 向它要数字 7，网络里的任何程序都可以这样做。""",
        """\
import socket
import subprocess
import sys

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = subprocess.Popen(
    [
        # What gan-keras-serve does, in this notebook's own environment.
        *(sys.executable, "-c", "from gan_keras.cli.serve import run; run()"),
        *(f"--model_base_path={folder / 'exports'}", "--port=0", f"--rest_api_port={port}"),
    ],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)
try:
    # Once it answers, it prints a command to try.
    assert any("gan-keras-sample" in line for line in server.stdout), "the server did not start"
    with gan_keras.Client(f"127.0.0.1:{port}", transport="rest") as client:
        sevens = client.sample(count=20, seed=0, label=7)
finally:
    server.terminate()
    server.wait()
display(Image(drawing.encode_png(drawing.grid(sevens, columns=10, scale=2))))""",
    ),
]


def cells(language):
    """(type, source) of all cells: language 0 is English, 1 Chinese."""
    yield "markdown", TITLES[language]
    for step in STEPS:
        yield "markdown", step[language]
        yield "code", step[2]


def notebook(language):
    """A notebook without outputs, as nbformat has it."""
    from nbformat import v4

    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    made = v4.new_notebook(
        cells=[
            make[kind](source, id=f"cell-{number}")
            for number, (kind, source) in enumerate(cells(language))
        ]
    )
    made.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    made.metadata["language_info"] = {"name": "python"}
    return made


def readable(outputs):
    """Outputs without log lines, which say how the machine is; what was printed is one text."""
    printed = [each for each in outputs if each.get("name") == "stdout"]
    if printed:
        lines = "".join(each.text for each in printed).splitlines(keepends=True)
        printed[0].text = "".join(line for line in lines if not line.startswith("INFO:"))
    return [
        each for each in outputs if each.output_type != "stream" or (printed and each is printed[0])
    ]


def main():
    import nbformat
    from nbclient import NotebookClient

    first = notebook(0)
    NotebookClient(first, timeout=SECONDS).execute()
    for cell in first.cells:
        if cell.cell_type == "code":
            cell.outputs = readable(cell.outputs)
    FOLDER.mkdir(exist_ok=True)
    for language, name in enumerate(NAMES):
        made = notebook(language)
        for cell, ran in zip(made.cells, first.cells, strict=True):
            if cell.cell_type == "code":
                cell.update(outputs=ran.outputs, execution_count=ran.execution_count)
        nbformat.write(made, FOLDER / name)
        print(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
