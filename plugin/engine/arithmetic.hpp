// Arithmetic that loops of the hop share: powers that vectorise, vectors of some lanes, and arrays that suit them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#ifdef __FAST_MATH__
#error "rtnmf: build without -ffast-math (add -fno-fast-math after it): samples that are NaN would not be seen"
#endif

// Into each copy of the hop that is compiled for a kind of processor.
#define RTNMF_INLINE inline __attribute__((always_inline))

namespace rtnmf {

constexpr std::size_t CACHE_LINE = 64;

// Memory that begins where a cache line does: vectors that span two lines cost up to a half more.
template <class T>
struct LineAllocator {
    using value_type = T;
    LineAllocator() = default;
    template <class U>
    LineAllocator(const LineAllocator<U>&) noexcept {}
    T* allocate(std::size_t n) {
        if (n > PTRDIFF_MAX / sizeof(T)) throw std::bad_alloc();
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(CACHE_LINE)));
    }
    void deallocate(T* room, std::size_t) noexcept { ::operator delete(room, std::align_val_t(CACHE_LINE)); }
    template <class U>
    bool operator==(const LineAllocator<U>&) const noexcept {
        return true;
    }
    template <class U>
    bool operator!=(const LineAllocator<U>&) const noexcept {
        return false;
    }
};

template <class T>
using Array = std::vector<T, LineAllocator<T>>;
using Floats = Array<float>;

// Added to every model spectrum before a division, so that empty bins and silent frames give 0, not NaN.
constexpr float FLOOR = 1e-30f;
constexpr float FAINTEST = 1e-37f;

// Lanes of floats that GCC and clang keep in one register. Functions take and return them by reference: how they would
// be passed by value depends on the processor.
template <int N_LANES>
struct Vector {
    typedef float type __attribute__((vector_size(4 * N_LANES), may_alias));
};

// The numbers from an aligned one on.
template <int N_LANES>
RTNMF_INLINE typename Vector<N_LANES>::type& at(float* x) {
    return *reinterpret_cast<typename Vector<N_LANES>::type*>(x);
}
template <int N_LANES>
RTNMF_INLINE const typename Vector<N_LANES>::type& at(const float* x) {
    return *reinterpret_cast<const typename Vector<N_LANES>::type*>(x);
}

template <int N_LANES>
RTNMF_INLINE float sum_of_lanes(const typename Vector<N_LANES>::type& value) {
    float total = 0;
    for (int i = 0; i < N_LANES; i++) total += value[i];
    return total;
}

// The sum of products of two arrays, in an order that depends on nothing but their length.
template <int N_LANES>
RTNMF_INLINE float dot(const float* x, const float* y, std::size_t n) {
    typename Vector<N_LANES>::type total = {}, a, b;
    std::size_t i = 0;
    for (; i + N_LANES <= n; i += N_LANES) {
        std::memcpy(&a, x + i, sizeof a);
        std::memcpy(&b, y + i, sizeof b);
        total += a * b;
    }
    float result = sum_of_lanes<N_LANES>(total);
    for (; i < n; i++) result += x[i] * y[i];
    return result;
}

template <int N_LANES>
RTNMF_INLINE float sum(const float* x, std::size_t n) {
    typename Vector<N_LANES>::type total = {}, a;
    std::size_t i = 0;
    for (; i + N_LANES <= n; i += N_LANES) {
        std::memcpy(&a, x + i, sizeof a);
        total += a;
    }
    float result = sum_of_lanes<N_LANES>(total);
    for (; i < n; i++) result += x[i];
    return result;
}

// Replaces normal numbers by their natural logarithms: those of their exponents plus a polynomial for their mantissas.
template <class V>
RTNMF_INLINE void take_log(V& x) {
    decltype(x < x) bits;  // whole numbers in as many lanes
    std::memcpy(&bits, &x, sizeof bits);
    const auto exponent = (bits - 0x3f3504f3) >> 23;
    bits -= exponent * (1 << 23);
    V m;
    std::memcpy(&m, &bits, sizeof m);
    m -= 1.0f;
    V p = -0.07451186f * m + 0.12806611f;
    p = p * m - 0.13266031f;
    p = p * m + 0.1419965f;
    p = p * m - 0.1660837f;
    p = p * m + 0.20000939f;
    p = p * m - 0.2500158f;
    p = p * m + 0.33333346f;
    p = p * m - 0.49999988f;
    p = p * m + 1.0f;
    x = p * m + __builtin_convertvector(exponent, V) * 0.69314718f;
}

// Replaces numbers from -123 to 123 by 2 to these powers, to about 1e-6 of it.
template <class V>
RTNMF_INLINE void take_exp2(V& y) {
    decltype(y < y) n = __builtin_convertvector(y + 123.5f, decltype(y < y)) - 123;
    const V f = y - __builtin_convertvector(n, V);
    V p = 1.5461445e-04f * f + 0.0013400428f;
    p = p * f + 0.009618057f;
    p = p * f + 0.05550327f;
    p = p * f + 0.2402265f;
    p = p * f + 0.6931472f;
    p = p * f + 1.0f;
    n = (n + 127) << 23;
    V scale;
    std::memcpy(&scale, &n, sizeof scale);
    y = p * scale;
}

// Raises numbers to a power, to about 1e-6 of it; none is negative, the results are held between 1e-37 and 1e37.
template <class V>
RTNMF_INLINE void raise(V& x, float exponent) {
    const V faintest = V{} + FAINTEST, most = V{} + 123.0f;
    x = x > faintest ? x : faintest;
    take_log(x);
    x *= exponent * 1.44269504f;
    x = x > -most ? x : -most;
    x = x < most ? x : most;
    take_exp2(x);
}

// The square roots of sums of two squares, added to v.
RTNMF_INLINE void add_magnitudes(const float* real, const float* imag, std::size_t n, float* v) {
    std::size_t i = 0;
#if defined(__SSE2__)
    for (; i + 4 <= n; i += 4) {
        const __m128 x = _mm_loadu_ps(real + i), y = _mm_loadu_ps(imag + i);
        const __m128 root = _mm_sqrt_ps(_mm_add_ps(_mm_mul_ps(x, x), _mm_mul_ps(y, y)));
        _mm_storeu_ps(v + i, _mm_add_ps(_mm_loadu_ps(v + i), root));
    }
#endif
    for (; i < n; i++) v[i] += __builtin_sqrtf(real[i] * real[i] + imag[i] * imag[i]);
}

}  // namespace rtnmf
