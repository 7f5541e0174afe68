"""Non-negative matrix factorisation with the generalised Kullback-Leibler divergence."""

from rtnmf.nmf.factorisation import (
    Factorization,
    activations,
    fit,
    kl_divergence,
    update_activations,
    update_components,
)

__all__ = ["Factorization", "activations", "fit", "kl_divergence", "update_activations", "update_components"]
