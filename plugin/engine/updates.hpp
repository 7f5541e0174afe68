// The activations of a frame with W fixed: multiplicative updates, and the tiles that W lies in for them.
//
// A port of rtnmf/kernels/updates.py. W lies in tiles of TILE bins, [tile][component][TILE], so that a tile is in the
// L1 cache when its second product comes.
#pragma once

#include "arithmetic.hpp"

namespace rtnmf {

// Bins of a tile: 64 components of it fill most of an L1 cache, and 513, 1025 and 2049 bins leave little over.
constexpr std::size_t TILE = 96;

// Lanes of the widest vectors.
constexpr int WIDEST = 8;
static_assert(TILE % WIDEST == 0, "vectors fill a tile");

// Fraction of a frame below which an activation would only cost denormal arithmetic.
constexpr float LEAST_ACTIVATION = 1e-12f;

// Adds to r the model of a tile by n components, whose columns begin at w.
template <int N_LANES>
RTNMF_INLINE void add_model(const float* w, const float* h, std::size_t n, float* r) {
    using V = typename Vector<N_LANES>::type;
    std::size_t k = 0;
    for (; k + 4 <= n; k += 4, w += 4 * TILE) {
        const float a = h[k], b = h[k + 1], c = h[k + 2], d = h[k + 3];
        for (std::size_t i = 0; i < TILE; i += N_LANES) {
            const V x = a * at<N_LANES>(w + i) + b * at<N_LANES>(w + TILE + i);
            const V y = c * at<N_LANES>(w + 2 * TILE + i) + d * at<N_LANES>(w + 3 * TILE + i);
            at<N_LANES>(r + i) += x + y;
        }
    }
    for (; k < n; k++, w += TILE)
        for (std::size_t i = 0; i < TILE; i += N_LANES) at<N_LANES>(r + i) += h[k] * at<N_LANES>(w + i);
}

// Adds to g, which keeps a sum in each lane, the products of a tile with r.
template <int N_LANES>
RTNMF_INLINE void add_gradient(const float* w, const float* r, std::size_t n, float* g) {
    using V = typename Vector<N_LANES>::type;
    std::size_t k = 0;
    for (; k + 4 <= n; k += 4, w += 4 * TILE) {
        V a = at<N_LANES>(g + k * N_LANES), b = at<N_LANES>(g + (k + 1) * N_LANES);
        V c = at<N_LANES>(g + (k + 2) * N_LANES), d = at<N_LANES>(g + (k + 3) * N_LANES);
        for (std::size_t i = 0; i < TILE; i += N_LANES) {
            const V q = at<N_LANES>(r + i);
            a += at<N_LANES>(w + i) * q;
            b += at<N_LANES>(w + TILE + i) * q;
            c += at<N_LANES>(w + 2 * TILE + i) * q;
            d += at<N_LANES>(w + 3 * TILE + i) * q;
        }
        at<N_LANES>(g + k * N_LANES) = a;
        at<N_LANES>(g + (k + 1) * N_LANES) = b;
        at<N_LANES>(g + (k + 2) * N_LANES) = c;
        at<N_LANES>(g + (k + 3) * N_LANES) = d;
    }
    for (; k < n; k++, w += TILE) {
        V a = at<N_LANES>(g + k * N_LANES);
        for (std::size_t i = 0; i < TILE; i += N_LANES) a += at<N_LANES>(w + i) * at<N_LANES>(r + i);
        at<N_LANES>(g + k * N_LANES) = a;
    }
}

// Sets the first n values of g, which has room for N_LANES times as many, to W.T (v / (W h)), reading W once.
template <int N_LANES>
RTNMF_INLINE void gradient(const float* v, const float* w, std::size_t n_tiles, const float* h, std::size_t n, float* g,
                           float* r) {
    for (std::size_t i = 0; i < n * N_LANES; i++) g[i] = 0;
    for (std::size_t t = 0; t < n_tiles; t++, w += n * TILE, v += TILE) {
        for (std::size_t i = 0; i < TILE; i++) r[i] = FLOOR;
        add_model<N_LANES>(w, h, n, r);
        for (std::size_t i = 0; i < TILE; i += N_LANES) at<N_LANES>(r + i) = at<N_LANES>(v + i) / at<N_LANES>(r + i);
        add_gradient<N_LANES>(w, r, n, g);
    }
    for (std::size_t k = 0; k < n; k++) g[k] = sum_of_lanes<N_LANES>(at<N_LANES>(g + k * N_LANES));
}

// Updates h for a frame v that sums to 1, from where the last frame left it.
template <int N_LANES>
RTNMF_INLINE void follow(const float* v, const float* w, std::size_t n_tiles, float* h, std::size_t n, float* g,
                         float* r, int n_iter, float relaxation, float memory) {
    const float uniform = 1.0f / static_cast<float>(n), total = sum<N_LANES>(h, n);
    for (std::size_t k = 0; k < n; k++) h[k] = total > 0 ? memory * h[k] / total + (1.0f - memory) * uniform : uniform;
    for (int i = 0; i < n_iter; i++) {
        gradient<N_LANES>(v, w, n_tiles, h, n, g, r);
        if (i > 0)
            for (std::size_t k = 0; k < n; k += N_LANES) raise(at<N_LANES>(g + k), relaxation);
        for (std::size_t k = 0; k < n; k++) {
            const float a = h[k] * g[k];
            h[k] = a > LEAST_ACTIVATION ? a : 0.0f;
        }
    }
}

// Divides v by its sum and returns that, or 0 for silence.
template <int N_LANES>
RTNMF_INLINE float normalise(float* v, std::size_t n) {
    const float total = sum<N_LANES>(v, n);
    if (!(total > FLOOR)) return 0;
    const float inverse = 1.0f / total;
    for (std::size_t i = 0; i < n; i++) v[i] *= inverse;
    return total;
}

}  // namespace rtnmf
