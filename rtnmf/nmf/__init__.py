"""Non-negative matrix factorisation with the generalised Kullback-Leibler divergence."""

from rtnmf.nmf.blocks import Components, fit_blocks
from rtnmf.nmf.factorisation import (
    Factorization,
    activations,
    fit,
    kl_divergence,
    update_activations,
    update_components,
)

__all__ = [
    "Components",
    "Factorization",
    "activations",
    "fit",
    "fit_blocks",
    "kl_divergence",
    "update_activations",
    "update_components",
]
