"""The game's closed forms, for densities that are known.

A density is an array of its values on a grid, of any shape, that is summed with the grid's cell
size (length, area, ...). All logarithms are natural: results are in nats.

Reference: Goodfellow et al. 2014, section 4, https://arxiv.org/abs/1406.2661
"""

import numpy as np

LOG_4 = np.log(4.0)


def optimal_discriminator(p_data, p_g):
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)), the best answer to a fixed generator.

    Args:
        p_data: Density of the data on a grid.
        p_g: Density of the generator on the same grid.

    Returns:
        Probabilities of the same shape; 1/2 where neither density is, since nothing is
        ever asked there.
    """
    total = p_data + p_g
    return np.divide(p_data, total, out=np.full(np.shape(total), 0.5), where=total > 0)


def value(discriminator, p_data, p_g, cell):
    """V(D, G) = E_data[log D(x)] + E_g[log(1 - D(x))].

    Args:
        discriminator: D on the grid, in [0, 1].
        p_data: Density of the data on the grid.
        p_g: Density of the generator on the grid.
        cell: Size of a grid cell.

    Returns:
        Nats, never positive; -inf if D is certain of something that is wrong.
    """
    return cell * np.sum(_x_log_y(p_data, discriminator) + _x_log_y(p_g, 1 - discriminator))


def pair_value(logits, p_data, p_g, cell):
    """V(D, G) = E[log sigmoid(l(x) - l(y))] of pairs x ~ p_data, y ~ p_g.

    Among pairs that come in either order, D is to tell (x, y) ~ p_data x p_g from p_g x p_data.
    The best l is the logit of D*, log p_data - log p_g, plus any constant: then V is
    -log 2 + JSD(p_data x p_g || p_g x p_data), by step 5 and 6 of Goodfellow et al. 2014 for
    these two densities of pairs.

    Args:
        logits: l on the grid.
        p_data: Density of the data on the grid.
        p_g: Density of the generator on the grid.
        cell: Size of a grid cell.

    Returns:
        Nats, never positive; with the best l from -log 2 to 0.

    Reference: Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734
    """
    margins = np.subtract.outer(np.ravel(logits), np.ravel(logits))
    weights = np.multiply.outer(np.ravel(p_data), np.ravel(p_g))
    return -(cell**2) * np.sum(weights * np.logaddexp(0.0, -margins))


def kl(p, q, cell):
    """KL(p || q) = E_p[log p(x) - log q(x)].

    Args:
        p: Density on a grid.
        q: Density on the same grid.
        cell: Size of a grid cell.

    Returns:
        Nats; inf if p is somewhere where q is not.
    """
    return cell * np.sum(_x_log_y(p, p) - _x_log_y(p, q))


def jsd(p, q, cell):
    """JSD(p || q) = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2.

    Args:
        p: Density on a grid.
        q: Density on the same grid.
        cell: Size of a grid cell.

    Returns:
        Nats, from 0 (p = q) to log 2 (nothing in common).
    """
    middle = (p + q) / 2
    return (kl(p, middle, cell) + kl(q, middle, cell)) / 2


def generator_cost(p_data, p_g, cell):
    """C(G) = max_D V(D, G) = -log 4 + 2 JSD(p_data || p_g): what the generator minimises.

    Args:
        p_data: Density of the data on a grid.
        p_g: Density of the generator on the same grid.
        cell: Size of a grid cell.

    Returns:
        Nats, from -log 4 to 0.
    """
    return -LOG_4 + 2 * jsd(p_data, p_g, cell)


def _x_log_y(x, y):
    """x log y, with 0 log 0 = 0."""
    with np.errstate(divide="ignore"):
        return np.where(x > 0, x * np.log(np.where(x > 0, y, 1.0)), 0.0)
