"""Non-negative matrix factorisation with the generalised Kullback-Leibler divergence."""

from rtnmf.nmf.factorisation import (
    TOLERANCE,
    Factorization,
    activations,
    fit,
    kl_divergence,
    update_activations,
    update_components,
)

__all__ = [
    "TOLERANCE",
    "Factorization",
    "activations",
    "fit",
    "kl_divergence",
    "update_activations",
    "update_components",
]
