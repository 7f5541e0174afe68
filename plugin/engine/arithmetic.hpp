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
    bool operator==(const LineAllocator<U>&) const noexcept { return true; }
    template <class U>
    bool operator!=(const LineAllocator<U>&) const noexcept { return false; }
};

template <class T>
using Array = std::vector<T, LineAllocator<T>>;
using Floats = Array<float>;

// Added to every model spectrum before a division, so that empty bins and silent frames give 0, not NaN.
constexpr float FLOOR = 1e-30f;
constexpr float FAINTEST = 1e-37f;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"  // all that takes or returns vectors is inlined
#endif

// Lanes of floats that GCC and clang keep in one register.
template <int N_LANES>
struct Vector {
    typedef float type __attribute__((vector_size(4 * N_LANES)));
};

template <class V>
RTNMF_INLINE V load(const float* from) {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class V>
RTNMF_INLINE void store(float* to, V value) {
    std::memcpy(to, &value, sizeof value);
}

template <int N_LANES>
RTNMF_INLINE float sum_of_lanes(const typename Vector<N_LANES>::type& value) {
    float lanes[N_LANES], total = 0;
    std::memcpy(lanes, &value, sizeof lanes);
    for (int i = 0; i < N_LANES; i++) total += lanes[i];
    return total;
}

// The sum of products of two arrays, in an order that depends on nothing but their length.
template <int N_LANES>
RTNMF_INLINE float dot(const float* x, const float* y, std::size_t n) {
    using V = typename Vector<N_LANES>::type;
    V a = {}, b = {};
    std::size_t i = 0;
    for (; i + 2 * N_LANES <= n; i += 2 * N_LANES) {
        a += load<V>(x + i) * load<V>(y + i);
        b += load<V>(x + i + N_LANES) * load<V>(y + i + N_LANES);
    }
    float total = sum_of_lanes<N_LANES>(a + b);
    for (; i < n; i++) total += x[i] * y[i];
    return total;
}

template <int N_LANES>
RTNMF_INLINE float sum(const float* x, std::size_t n) {
    using V = typename Vector<N_LANES>::type;
    V a = {}, b = {};
    std::size_t i = 0;
    for (; i + 2 * N_LANES <= n; i += 2 * N_LANES) {
        a += load<V>(x + i);
        b += load<V>(x + i + N_LANES);
    }
    float total = sum_of_lanes<N_LANES>(a + b);
    for (; i < n; i++) total += x[i];
    return total;
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

RTNMF_INLINE std::int32_t bits_of(float x) {
    std::int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

RTNMF_INLINE float float_of(std::int32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// The natural logarithm of a normal number: that of its exponent plus a polynomial for its mantissa.
RTNMF_INLINE float log_of(float x) {
    const std::int32_t bits = bits_of(x), exponent = (bits - 0x3f3504f3) >> 23;
    const float m = float_of(bits - (exponent << 23)) - 1.0f;
    float p = -0.07451186f;
    p = p * m + 0.12806611f;
    p = p * m - 0.13266031f;
    p = p * m + 0.1419965f;
    p = p * m - 0.1660837f;
    p = p * m + 0.20000939f;
    p = p * m - 0.2500158f;
    p = p * m + 0.33333346f;
    p = p * m - 0.49999988f;
    p = p * m + 1.0f;
    return p * m + static_cast<float>(exponent) * 0.69314718f;
}

// 2 to a power from -123 to 123, to about 1e-6 of it.
RTNMF_INLINE float exp2_of(float y) {
    const std::int32_t n = static_cast<std::int32_t>(y + 123.5f) - 123;
    const float f = y - static_cast<float>(n);
    float p = 1.5461445e-04f;
    p = p * f + 0.0013400428f;
    p = p * f + 0.009618057f;
    p = p * f + 0.05550327f;
    p = p * f + 0.2402265f;
    p = p * f + 0.6931472f;
    p = p * f + 1.0f;
    return p * float_of((n + 127) << 23);
}

// x to a power, to about 1e-6 of it; x is not negative, the result is held between 1e-37 and 1e37.
RTNMF_INLINE float power(float x, float exponent) {
    float y = exponent * 1.44269504f * log_of(x > FAINTEST ? x : FAINTEST);
    y = y > -123.0f ? y : -123.0f;
    return exp2_of(y < 123.0f ? y : 123.0f);
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
