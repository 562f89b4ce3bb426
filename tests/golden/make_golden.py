#!/usr/bin/env python3
"""Numbers from textbook formulas, for tests to compare the core with.

    python3 make_golden.py [folder]

writes the golden files into a folder, by default the one of this script. Needs
numpy and scipy; seeds are fixed. Nothing here is shared with the core, and
whatever can be summed or inverted outright is: paths are enumerated, Gaussians
are joint densities of everything. So cases are small.

A file is text: for each array a line "name rows cols", then `rows` lines of
`cols` numbers with 17 significant digits. Lines that begin with # are comments.
Arrays of M experts with K states are stacked, row m K + k. Sequences lie end to
end in `frames`; `lengths` says where they part.
"""

import itertools
import pathlib
import sys

import numpy as np
from scipy.integrate import dblquad, quad
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

EXPONENT = 0.6  # of "tempered" scores: power times inverse temperature


def write(folder, name, comment, arrays):
    with open(folder / name, "w", encoding="ascii") as out:
        out.write(f"# {comment}\n# By make_golden.py; do not edit.\n")
        for key, value in arrays.items():
            value = np.atleast_2d(np.asarray(value, dtype=float))
            out.write(f"{key} {value.shape[0]} {value.shape[1]}\n")
            for row in value:
                out.write(" ".join(f"{v:.17g}" for v in row) + "\n")


def log_softmax(logits):
    return logits - logsumexp(logits, axis=-1, keepdims=True)


def split(frames, lengths):
    return np.split(frames, np.cumsum(lengths)[:-1])


# Hidden Markov models, by enumeration of the state paths.


def path_log_joints(log_initial, log_transition, log_emission):
    """All K^T paths and log p(path, x), given log p(x_t | state), T x K."""
    length, states = log_emission.shape
    paths = list(itertools.product(range(states), repeat=length))
    joints = [log_initial[path[0]]
              + sum(log_transition[a, b] for a, b in zip(path, path[1:]))
              + sum(log_emission[t, state] for t, state in enumerate(path))
              for path in paths]
    return paths, np.array(joints)


def hidden_markov_answers(log_initial, log_transition, log_emissions, lengths):
    """log_emissions[m] is frames x K."""
    experts, states = log_initial.shape
    count = len(lengths)
    scores, tempered = np.zeros((2, count, experts))
    gamma = np.zeros((sum(lengths), experts * states))
    transitions = np.zeros((count, experts * states, states))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for m in range(experts):
        for n, emission in enumerate(split(log_emissions[m], lengths)):
            paths, joints = path_log_joints(
                log_initial[m], log_transition[m], emission)
            scores[n, m] = logsumexp(joints)
            tempered[n, m] = logsumexp(EXPONENT * joints)
            for path, joint in zip(paths, joints):
                share = np.exp(joint - scores[n, m])
                for t, state in enumerate(path):
                    gamma[starts[n] + t, m * states + state] += share
                for a, b in zip(path, path[1:]):
                    transitions[n, m * states + a, b] += share
    return {
        "log_likelihood": scores,  # N x M
        "tempered_log_likelihood": tempered,
        "gamma": gamma,  # frames x (M K): P(state | sequence)
        # Expected counts of transitions, sequence by sequence.
        "transition_counts": transitions.reshape(-1, states),
    }


def gaussian_log_emissions(frames, mean, log_variance):
    return norm.logpdf(frames[:, None, :], mean,
                       np.exp(log_variance / 2)).sum(axis=-1)


def hidden_markov_gaussian(folder):
    rng = np.random.default_rng(101)
    experts, states, dimension, lengths = 2, 3, 2, [1, 4, 7]
    initial = rng.normal(0, 1, (experts, states))
    transition = rng.normal(0, 1, (experts, states, states))
    mean = rng.normal(0, 1.5, (experts, states, dimension))
    log_variance = rng.normal(-0.3, 0.5, (experts, states, dimension))
    frames = rng.normal(0, 1.5, (sum(lengths), dimension))
    parameters = {
        "initial_logit": initial,
        "transition_logit": transition.reshape(-1, states),
        "mean": mean.reshape(-1, dimension),
        "log_variance": log_variance.reshape(-1, dimension),
    }
    log_emissions = [gaussian_log_emissions(frames, mean[m], log_variance[m])
                     for m in range(experts)]
    write(folder, "hidden_markov_gaussian.txt",
          "Two hidden Markov models with Gaussian emissions.",
          parameters | {"lengths": lengths, "frames": frames,
                        "exponent": EXPONENT}
          | hidden_markov_answers(log_softmax(initial), log_softmax(transition),
                                  log_emissions, lengths))
    hidden_markov_product(folder, parameters, log_softmax(initial),
                          log_softmax(transition), mean, log_variance)


def hidden_markov_categorical(folder):
    rng = np.random.default_rng(102)
    experts, states, symbols, lengths = 2, 3, 4, [1, 4, 7]
    initial = rng.normal(0, 1, (experts, states))
    transition = rng.normal(0, 1, (experts, states, states))
    emission = rng.normal(0, 1, (experts, states, symbols))
    frames = np.eye(symbols)[rng.integers(0, symbols, sum(lengths))]
    log_emissions = [frames @ log_softmax(emission[m]).T
                     for m in range(experts)]
    write(folder, "hidden_markov_categorical.txt",
          "Two hidden Markov models over one coordinate of four symbols.",
          {"initial_logit": initial,
           "transition_logit": transition.reshape(-1, states),
           "emission_logit": emission.reshape(-1, symbols),
           "lengths": lengths, "frames": frames, "exponent": EXPONENT}
          | hidden_markov_answers(log_softmax(initial), log_softmax(transition),
                                  log_emissions, lengths))


def log_integral_of_gaussians(means, precisions, log_scales):
    """log of the integral over x of prod_j scale_j exp(-precision_j
    (x - mean_j)^2 / 2), for one coordinate."""
    precision = precisions.sum()
    information = (precisions * means).sum()
    return (log_scales.sum() - (precisions * means**2).sum() / 2
            + information**2 / (2 * precision)
            + np.log(2 * np.pi / precision) / 2)


def hidden_markov_product(folder, parameters, log_initial, log_transition,
                          mean, log_variance):
    """log Z over all pairs of paths of both models, times a Gaussian base."""
    experts, states, dimension = mean.shape
    base_mean = np.array([0.3, -0.2])
    base_log_variance = np.array([0.8, 0.4])

    def frame(pair, x=None, observed=np.zeros(dimension)):
        total = 0
        for i in range(dimension):
            s = [log_variance[m, k, i] for m, k in enumerate(pair)]
            if observed[i]:
                total -= ((x[i] - base_mean[i])**2
                          / np.exp(base_log_variance[i]) / 2)
                total += sum(norm.logpdf(x[i], mean[m, k, i],
                                         np.exp(s[m] / 2))
                             for m, k in enumerate(pair))
                continue
            log_scales = np.append(-(np.log(2 * np.pi) + np.array(s)) / 2, 0)
            total += log_integral_of_gaussians(
                np.array([mean[m, k, i] for m, k in enumerate(pair)]
                         + [base_mean[i]]),
                np.exp(-np.array(s + [base_log_variance[i]])), log_scales)
        return total

    def log_normalizer(length, *sequence):
        """Of everything, or of what is missing in a sequence."""
        terms = []
        paths = list(itertools.product(range(states), repeat=length))
        for both in itertools.product(paths, repeat=experts):
            term = sum(frame(*each) for each in zip(zip(*both), *sequence))
            for m, path in enumerate(both):
                term += log_initial[m, path[0]]
                term += sum(log_transition[m, a, b]
                            for a, b in zip(path, path[1:]))
            terms.append(term)
        return logsumexp(terms)

    # One frame again, on a grid.
    axis = np.linspace(-12, 12, 1201)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    scores = (-(grid - base_mean)**2 / np.exp(base_log_variance) / 2).sum(1)
    for m in range(experts):
        scores += logsumexp(log_initial[m] + gaussian_log_emissions(
            grid, mean[m], log_variance[m]), axis=1)
    scores += 2 * np.log(axis[1] - axis[0])
    assert abs(logsumexp(scores) - log_normalizer(1)) < 1e-9

    lengths = [1, 2, 3]
    rng = np.random.default_rng(106)
    frames = rng.normal(0, 1, (sum(lengths), dimension))
    observed = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    incomplete = [log_normalizer(length, *sequence) for length, *sequence
                  in zip(lengths, split(frames, lengths),
                         split(observed, lengths))]
    # Along a line of the grid.
    line = np.column_stack([np.full_like(axis, frames[0, 0]), axis])
    scores = (-(line - base_mean)**2 / np.exp(base_log_variance) / 2).sum(1)
    for m in range(experts):
        scores += logsumexp(log_initial[m] + gaussian_log_emissions(
            line, mean[m], log_variance[m]), axis=1)
    assert abs(logsumexp(scores + np.log(axis[1] - axis[0]))
               - incomplete[0]) < 1e-9

    write(folder, "hidden_markov_product.txt",
          "The models of hidden_markov_gaussian.txt under a base "
          "exp(-sum (x - mean)^2 exp(-s) / 2) for each frame.",
          parameters | {"base_mean": base_mean,
                        "base_log_variance": base_log_variance,
                        "lengths": lengths,
                        "log_normalizer": [log_normalizer(t) for t in lengths],
                        "frames": frames, "observed": observed,
                        # log of the integral over what is not observed.
                        "incomplete_log_score": incomplete})


# Linear dynamical systems, by the dense joint Gaussian of states and data.


def cholesky_factor(entries, size):
    """Lower triangle by rows, logarithms on the diagonal."""
    factor = np.zeros((size, size))
    factor[np.tril_indices(size)] = entries
    factor[np.diag_indices(size)] = np.exp(np.diag(factor))
    return factor


def dense_joint(system, length):
    """Means and covariances of all states and all data: my, Vy, mx, Vx, Vxy.

    States are linear in the independent noises: y = G e + mean."""
    latent = len(system["m1"])
    mean_y = np.zeros(length * latent)
    spread = np.zeros((length * latent, length * latent))
    noise = np.zeros_like(spread)
    for t in range(length):
        now = slice(t * latent, (t + 1) * latent)
        noise[now, now] = system["P1"] if t == 0 else system["Q"]
        mean_y[now] = np.linalg.matrix_power(system["A"], t) @ system["m1"]
        for s in range(t + 1):
            spread[now, s * latent:(s + 1) * latent] = np.linalg.matrix_power(
                system["A"], t - s)
    cov_y = spread @ noise @ spread.T
    emission = np.kron(np.eye(length), system["C"])
    mean_x = emission @ mean_y + np.tile(system["d"], length)
    cov_x = emission @ cov_y @ emission.T + np.kron(
        np.eye(length), np.diag(system["R"]))
    return mean_y, cov_y, mean_x, cov_x, emission @ cov_y


def linear_dynamical(folder):
    rng = np.random.default_rng(103)
    experts, latent, dimension, lengths = 2, 2, 3, [1, 5, 9]
    triangle = latent * (latent + 1) // 2
    initial_mean = rng.normal(0, 1, (experts, latent))
    initial_factor = rng.normal(0, 0.4, (experts, triangle))
    transition = (0.6 * np.eye(latent)
                  + rng.normal(0, 0.25, (experts, latent, latent)))
    transition_factor = rng.normal(-0.4, 0.4, (experts, triangle))
    emission = rng.normal(0, 1, (experts, dimension, latent))
    offset = rng.normal(0, 0.5, (experts, dimension))
    log_variance = rng.normal(-0.5, 0.4, (experts, dimension))
    frames = rng.normal(0, 1.3, (sum(lengths), dimension))

    scores, tempered = np.zeros((2, len(lengths), experts))
    means = np.zeros((sum(lengths), experts, latent))
    covariances, lagged = np.zeros(
        (2, sum(lengths), experts, latent, latent))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for m in range(experts):
        factors = [cholesky_factor(f[m], latent)
                   for f in (initial_factor, transition_factor)]
        system = {"m1": initial_mean[m], "P1": factors[0] @ factors[0].T,
                  "A": transition[m], "Q": factors[1] @ factors[1].T,
                  "C": emission[m], "d": offset[m],
                  "R": np.exp(log_variance[m])}
        for n, x in enumerate(split(frames, lengths)):
            length, x = lengths[n], x.reshape(-1)
            mean_y, cov_y, mean_x, cov_x, cov_xy = dense_joint(system, length)
            scores[n, m] = multivariate_normal(mean_x, cov_x).logpdf(x)
            gain = np.linalg.solve(cov_x, cov_xy).T
            mean = mean_y + gain @ (x - mean_x)
            blocks = (cov_y - gain @ cov_xy).reshape(
                length, latent, length, latent)
            for t in range(length):
                means[starts[n] + t, m] = mean[t * latent:(t + 1) * latent]
                covariances[starts[n] + t, m] = blocks[t, :, t]
                if t > 0:
                    lagged[starts[n] + t, m] = blocks[t, :, t - 1]
            # N(x; ., R)^c is N(x; ., R / c) with another factor.
            softer = system | {"R": system["R"] / EXPONENT}
            _, _, mean_x, cov_x, _ = dense_joint(softer, length)
            tempered[n, m] = (
                multivariate_normal(mean_x, cov_x).logpdf(x)
                + length * ((1 - EXPONENT) * np.log(2 * np.pi * system["R"])
                            - np.log(EXPONENT)).sum() / 2)
    write(folder, "linear_dynamical.txt", "Two linear dynamical systems.",
          {"initial_mean": initial_mean,
           "initial_log_cholesky": initial_factor,
           "transition": transition.reshape(-1, latent),
           "transition_log_cholesky": transition_factor,
           "emission": emission.reshape(-1, latent),
           "emission_offset": offset,
           "emission_log_variance": log_variance,
           "lengths": lengths, "frames": frames, "exponent": EXPONENT,
           "log_likelihood": scores,  # N x M
           # Emissions alone tempered.
           "tempered_log_likelihood": tempered,
           # Frames x (M L), and frames x (M L L) for cov(y_t) and
           # cov(y_t, y_t-1); the latter is 0 at first frames.
           "smoothed_mean": means.reshape(sum(lengths), -1),
           "smoothed_covariance": covariances.reshape(sum(lengths), -1),
           "smoothed_lagged_covariance": lagged.reshape(sum(lengths), -1)})


# Gaussian trees, by dense inverses.


def gaussian_tree(folder):
    rng = np.random.default_rng(104)
    trees, size, points = 2, 6, 5
    parent = np.array([[-1, 0, 0, 1, 1, 4], [2, 2, 5, 5, 3, -1]])
    weight = rng.normal(0, 0.8, (trees, size)) * (parent >= 0)
    offset = rng.normal(0, 0.7, (trees, size))
    log_variance = rng.normal(-0.3, 0.5, (trees, size))
    x = rng.normal(0, 1.2, (points, size))
    base_mean = rng.normal(0, 0.5, size)
    base_log_variance = rng.normal(0.3, 0.3, size)

    precisions, informations = [], []
    densities = np.zeros((points, trees))
    constant = -(base_mean**2 * np.exp(-base_log_variance)).sum() / 2
    for m in range(trees):
        from_noise = np.eye(size)  # I - W
        for i, p in enumerate(parent[m]):
            if p >= 0:
                from_noise[i, p] -= weight[m, i]
        inverse = np.linalg.inv(from_noise)
        mean = inverse @ offset[m]
        covariance = inverse @ np.diag(np.exp(log_variance[m])) @ inverse.T
        density = multivariate_normal(mean, covariance)
        densities[:, m] = density.logpdf(x)
        by_variance = np.diag(np.exp(-log_variance[m]))
        precisions.append(from_noise.T @ by_variance @ from_noise)
        informations.append(from_noise.T @ by_variance @ offset[m])
        assert np.allclose(precisions[m] @ covariance, np.eye(size))
        constant += density.logpdf(np.zeros(size))
    precision = sum(precisions) + np.diag(np.exp(-base_log_variance))
    information = sum(informations) + base_mean * np.exp(-base_log_variance)
    mean = np.linalg.solve(precision, information)
    log_normalizer = (constant + information @ mean / 2
                      - np.linalg.slogdet(precision)[1] / 2
                      + size * np.log(2 * np.pi) / 2)
    write(folder, "gaussian_tree.txt",
          "Two trees of six coordinates, and log Z of their product under a "
          "base exp(-sum (x - mean)^2 exp(-s) / 2).",
          {"parent": parent, "weight": weight, "offset": offset,
           "log_variance": log_variance,
           "precision": np.concatenate(precisions),  # (trees D) x D
           "information": np.array(informations), "points": x,
           "log_density": densities,  # points x trees
           "base_mean": base_mean, "base_log_variance": base_log_variance,
           "log_normalizer": log_normalizer})


# Unigauss experts, by enumeration of who speaks.


def unigauss(folder):
    rng = np.random.default_rng(107)
    experts, lower, upper = 8, np.array([-2.0, -3.0]), np.array([3.0, 2.5])
    mean = rng.uniform(-1.5, 2, (experts, 2))
    log_variance = rng.normal(-0.5, 0.7, (experts, 2))
    mixing_logit = rng.normal(0.5, 1, experts)
    base_mean, base_log_variance = np.array([0.4, -0.6]), np.array([1.5, 1.2])
    share = 1 / (1 + np.exp(-mixing_logit))
    log_uniform = np.log1p(-share) - np.log(upper - lower).sum()
    precision = np.exp(-log_variance)

    def log_score(x):
        x = np.atleast_2d(x)
        score = (-(x - base_mean)**2 * np.exp(-base_log_variance) / 2).sum(1)
        for m in range(experts):
            density = norm.logpdf(x, mean[m], np.exp(log_variance[m] / 2)).sum(1)
            score += np.logaddexp(log_uniform[m], np.log(share[m]) + density)
        return score

    def log_normalizer(x=np.zeros(2), observed=np.zeros(2)):
        terms = []
        for spoken in itertools.product([False, True], repeat=experts):
            on = np.array(spoken)
            term = log_uniform[~on].sum() + np.log(share[on]).sum()
            for i in range(2):
                means = np.append(mean[on, i], base_mean[i])
                precisions = np.append(precision[on, i],
                                       np.exp(-base_log_variance[i]))
                log_scales = np.append(
                    -(np.log(2 * np.pi) + log_variance[on, i]) / 2, 0)
                if observed[i]:
                    term += (log_scales
                             - precisions * (x[i] - means)**2 / 2).sum()
                    continue
                term += log_integral_of_gaussians(means, precisions, log_scales)
                total = precisions.sum()
                within = norm((precisions * means).sum() / total, total**-0.5)
                term += np.log(within.cdf(upper[i]) - within.cdf(lower[i]))
            terms.append(term)
        return logsumexp(terms)

    points = rng.uniform(lower, upper, (4, 2))
    observed = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    incomplete = [log_normalizer(x, o) for x, o in zip(points, observed)]
    # Again by quadrature.
    value, _ = dblquad(lambda b, a: np.exp(log_score([a, b])[0]), lower[0],
                       upper[0], lower[1], upper[1], epsabs=0, epsrel=1e-9)
    assert abs(np.log(value) - log_normalizer()) < 1e-8
    value, _ = quad(lambda b: np.exp(log_score([points[0, 0], b])[0]),
                    lower[1], upper[1], epsabs=0, epsrel=1e-11)
    assert abs(np.log(value) - incomplete[0]) < 1e-9
    write(folder, "unigauss.txt",
          "Eight unigauss experts on a box, under a base "
          "exp(-sum (x - mean)^2 exp(-s) / 2).",
          {"lower": lower, "upper": upper, "mean": mean,
           "log_variance": log_variance, "mixing_logit": mixing_logit,
           "base_mean": base_mean, "base_log_variance": base_log_variance,
           "log_normalizer": log_normalizer(), "points": points,
           "log_score": log_score(points), "observed": observed,
           "incomplete_log_score": incomplete})


# A restricted Boltzmann machine.


def rbm(folder):
    rng = np.random.default_rng(105)
    visible, hidden = 20, 16
    weights = rng.normal(0, 0.5, (visible, hidden))
    visible_bias = rng.normal(0, 0.5, visible)
    hidden_bias = rng.normal(0, 0.5, hidden)

    states = np.array(list(itertools.product([0.0, 1.0], repeat=hidden)))

    def log_states(weights, visible_bias, hidden_bias):
        """log of the sum over x of p*(x, z), for all z."""
        return (states @ hidden_bias + np.logaddexp(
            0, visible_bias + states @ weights.T).sum(axis=1))

    of_states = log_states(weights, visible_bias, hidden_bias)
    log_normalizer = logsumexp(of_states)

    def bits(log_odds):
        return (rng.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds))) * 1.0

    def score(x, beta):
        return np.logaddexp(0, beta * (hidden_bias + x @ weights)).sum(axis=1)

    # Annealed importance sampling; the base keeps its biases, hidden units are
    # tempered. At 0 each of them counts two states.
    chains, ladder = 2000, np.linspace(0, 1, 1001)
    x = bits(np.tile(visible_bias, (chains, 1)))
    log_weights = np.zeros(chains)
    for before, beta in zip(ladder, ladder[1:]):
        log_weights += score(x, beta) - score(x, before)
        on = bits(beta * (hidden_bias + x @ weights))
        x = bits(visible_bias + beta * on @ weights.T)
    def log_mean(log_weights):
        shares = np.exp(log_weights - log_weights.max())
        return (log_weights.max() + np.log(shares.mean()),
                shares.std(ddof=1) / shares.mean() / np.sqrt(chains))

    log_base = np.logaddexp(0, visible_bias).sum() + hidden * np.log(2)
    estimate, error = log_mean(log_weights)
    estimate += log_base
    assert abs(estimate - log_normalizer) < 5.5 * error + error**2

    # And back, from exact draws.
    drawn = states[rng.choice(len(states), chains,
                              p=np.exp(of_states - log_normalizer))]
    x = bits(visible_bias + drawn @ weights.T)
    log_weights = np.zeros(chains)
    for before, beta in zip(ladder[-2::-1], ladder[:0:-1]):
        log_weights += score(x, before) - score(x, beta)
        on = bits(before * (hidden_bias + x @ weights))
        x = bits(visible_bias + before * on @ weights.T)
    reverse_estimate, reverse_error = log_mean(log_weights)
    reverse_estimate = log_base - reverse_estimate
    assert (abs(reverse_estimate - log_normalizer)
            < 5.5 * reverse_error + reverse_error**2)

    # Bits of some rows are not observed.
    rows = (rng.random((6, visible)) < 0.5) * 1.0
    observed = (rng.random((6, visible)) < 0.6) * 1
    observed[0] = 0
    observed[0, :12] = 1
    incomplete = []
    for row, mask in zip(rows, observed):
        log_odds = visible_bias + states @ weights.T
        incomplete.append(logsumexp(
            states @ hidden_bias + np.where(
                mask, row * log_odds, np.logaddexp(0, log_odds)).sum(axis=1)))
    # The first again, by listing what may be missing.
    filled = np.array([np.append(rows[0, :12], rest) for rest
                       in itertools.product([0.0, 1.0], repeat=8)])
    assert abs(logsumexp(filled @ visible_bias + score(filled, 1))
               - incomplete[0]) < 1e-10

    other = {"other_weights": weights + rng.normal(0, 0.1, weights.shape),
             "other_visible_bias":
                 visible_bias + rng.normal(0, 0.2, visible),
             "other_hidden_bias": hidden_bias + rng.normal(0, 0.2, hidden)}
    write(folder, "rbm.txt",
          "A restricted Boltzmann machine of 20 visible and 16 hidden units.",
          {"weights": weights, "visible_bias": visible_bias,
           "hidden_bias": hidden_bias, "log_normalizer": log_normalizer,
           "annealed_estimate": estimate, "annealed_standard_error": error,
           "reverse_estimate": reverse_estimate,
           "reverse_standard_error": reverse_error,
           "rows": rows, "observed": observed,
           # log of the sum over what is not observed.
           "incomplete_log_score": incomplete}
          | other | {"other_log_normalizer":
                     logsumexp(log_states(*other.values()))})


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    for case in (hidden_markov_gaussian, hidden_markov_categorical,
                 linear_dynamical, gaussian_tree, unigauss, rbm):
        case(folder)


if __name__ == "__main__":
    main()
