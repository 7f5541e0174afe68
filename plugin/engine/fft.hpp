// The discrete Fourier transform of real signals of any even length, without allocation once it is made.
//
// Real and imaginary parts lie in arrays of their own, so that loops vectorise and an inverse transform is a forward
// one with the two exchanged. Lengths with large prime factors go through a convolution in double precision.
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>

#include "arithmetic.hpp"

namespace rtnmf {

constexpr double PI = 3.14159265358979323846;

// A complex transform as passes of small radices, each of which also sorts (Stockham; see C. Van Loan, "Computational
// frameworks for the fast Fourier transform", SIAM 1992, section 1.7).
template <class T>
class Fft {
  public:
    static constexpr std::size_t LARGEST_RADIX = 31;

    explicit Fft(std::size_t n_values) : length(n_values), real_room(n_values), imag_room(n_values) {
        std::size_t rest = n_values;
        for (std::size_t radix = 4; rest > 1; radix = radix == 4 ? 2 : radix == 2 ? 3 : radix + 2)
            for (; rest % radix == 0; rest /= radix) add_pass(radix, rest);
    }

    // Whether a length has only factors that passes are there for.
    static bool suits(std::size_t n) {
        for (std::size_t radix = 2; radix <= LARGEST_RADIX; radix++)
            while (n % radix == 0) n /= radix;
        return n == 1;
    }

    // Transforms in place: sum of x[j] exp(-2 pi i j k / length).
    RTNMF_INLINE void run(T* real, T* imag) {
        T *from_real = real, *from_imag = imag, *to_real = real_room.data(), *to_imag = imag_room.data();
        std::size_t stride = 1;
        for (const Pass& pass : passes) {
            one_pass(pass, stride, from_real, from_imag, to_real, to_imag);
            std::swap(from_real, to_real);
            std::swap(from_imag, to_imag);
            stride *= pass.radix;
        }
        if (from_real != real) {
            std::memcpy(real, from_real, length * sizeof(T));
            std::memcpy(imag, from_imag, length * sizeof(T));
        }
    }

  private:
    struct Pass {
        std::size_t radix, n_groups;
        Array<T> cosines, sines;            // of the twiddle factors 1 to radix - 1, each for all groups
        Array<T> root_cosines, root_sines;  // of the radix-th roots of unity, where there is no loop of its own
    };

    std::size_t length;
    Array<T> real_room, imag_room;
    std::vector<Pass> passes;

    void add_pass(std::size_t radix, std::size_t n) {
        Pass pass{radix, n / radix, {}, {}, {}, {}};
        for (std::size_t k = 1; k < radix; k++)
            for (std::size_t p = 0; p < pass.n_groups; p++) {
                const double angle = -2 * PI * static_cast<double>(p * k % n) / static_cast<double>(n);
                pass.cosines.push_back(static_cast<T>(std::cos(angle)));
                pass.sines.push_back(static_cast<T>(std::sin(angle)));
            }
        for (std::size_t k = 0; k < radix; k++) {
            const double angle = -2 * PI * static_cast<double>(k) / static_cast<double>(radix);
            pass.root_cosines.push_back(static_cast<T>(std::cos(angle)));
            pass.root_sines.push_back(static_cast<T>(std::sin(angle)));
        }
        passes.push_back(std::move(pass));
    }

    RTNMF_INLINE static void one_pass(const Pass& pass, std::size_t stride, const T* __restrict a,
                                      const T* __restrict b, T* __restrict c, T* __restrict d) {
        const std::size_t n = pass.n_groups;
        const T *cosines = pass.cosines.data(), *sines = pass.sines.data();
        if (pass.radix == 4 && stride == 1)
            first_pass_of_4(n, cosines, sines, a, b, c, d);
        else if (pass.radix == 4)
            for (std::size_t p = 0; p < n; p++)
                pass_of_4(n, stride, p, cosines, sines, a + stride * p, b + stride * p, c + 4 * stride * p,
                          d + 4 * stride * p);
        else if (pass.radix == 2)
            for (std::size_t p = 0; p < n; p++)
                pass_of_2(n, stride, p, cosines, sines, a + stride * p, b + stride * p, c + 2 * stride * p,
                          d + 2 * stride * p);
        else if (pass.radix == 3)
            for (std::size_t p = 0; p < n; p++) pass_of<3>(pass, stride, p, a, b, c, d);
        else if (pass.radix == 5)
            for (std::size_t p = 0; p < n; p++) pass_of<5>(pass, stride, p, a, b, c, d);
        else if (pass.radix == 7)
            for (std::size_t p = 0; p < n; p++) pass_of<7>(pass, stride, p, a, b, c, d);
        else
            for (std::size_t p = 0; p < n; p++) pass_of_any(pass, stride, p, a, b, c, d);
    }

    // The values of a butterfly, and where its parts go; everything else of a pass of radix 4 is which indices.
    RTNMF_INLINE static void butterfly_of_4(const T* __restrict a, const T* __restrict b, std::size_t step,
                                            const T (&u)[3], const T (&v)[3], T* __restrict c, T* __restrict d,
                                            std::size_t apart) {
        const T even = a[0] + a[2 * step], even_i = b[0] + b[2 * step], gap = a[0] - a[2 * step],
                gap_i = b[0] - b[2 * step];
        const T odd = a[step] + a[3 * step], odd_i = b[step] + b[3 * step];
        const T turned = b[step] - b[3 * step], turned_i = a[3 * step] - a[step];
        const T x[3] = {gap + turned, even - odd, gap - turned},
                y[3] = {gap_i + turned_i, even_i - odd_i, gap_i - turned_i};
        c[0] = even + odd;
        d[0] = even_i + odd_i;
        for (std::size_t k = 0; k < 3; k++) {
            c[(k + 1) * apart] = x[k] * u[k] - y[k] * v[k];
            d[(k + 1) * apart] = x[k] * v[k] + y[k] * u[k];
        }
    }

    RTNMF_INLINE static void first_pass_of_4(std::size_t n, const T* __restrict cosines, const T* __restrict sines,
                                             const T* __restrict a, const T* __restrict b, T* __restrict c,
                                             T* __restrict d) {
        for (std::size_t p = 0; p < n; p++) {
            const T u[3] = {cosines[p], cosines[n + p], cosines[2 * n + p]};
            const T v[3] = {sines[p], sines[n + p], sines[2 * n + p]};
            butterfly_of_4(a + p, b + p, n, u, v, c + 4 * p, d + 4 * p, 1);
        }
    }

    RTNMF_INLINE static void pass_of_4(std::size_t n, std::size_t stride, std::size_t p, const T* cosines,
                                       const T* sines, const T* __restrict a, const T* __restrict b, T* __restrict c,
                                       T* __restrict d) {
        const T u[3] = {cosines[p], cosines[n + p], cosines[2 * n + p]},
                v[3] = {sines[p], sines[n + p], sines[2 * n + p]};
        if (stride == 4) {
            for (std::size_t q = 0; q < 4; q++) butterfly_of_4(a + q, b + q, 4 * n, u, v, c + q, d + q, 4);
            return;
        }
        for (std::size_t q = 0; q < stride; q++) butterfly_of_4(a + q, b + q, stride * n, u, v, c + q, d + q, stride);
    }

    RTNMF_INLINE static void pass_of_2(std::size_t n, std::size_t stride, std::size_t p, const T* cosines,
                                       const T* sines, const T* __restrict a, const T* __restrict b, T* __restrict c,
                                       T* __restrict d) {
        const T u = cosines[p], v = sines[p], *other = a + stride * n, *other_i = b + stride * n;
        for (std::size_t q = 0; q < stride; q++) {
            const T x = a[q] - other[q], y = b[q] - other_i[q];
            c[q] = a[q] + other[q];
            d[q] = b[q] + other_i[q];
            c[stride + q] = x * u - y * v;
            d[stride + q] = x * v + y * u;
        }
    }

    template <std::size_t RADIX>
    RTNMF_INLINE static void pass_of(const Pass& pass, std::size_t stride, std::size_t p, const T* __restrict a,
                                     const T* __restrict b, T* __restrict c, T* __restrict d) {
        const std::size_t n = pass.n_groups, from = stride * p, to = stride * RADIX * p;
        T cosines[RADIX], sines[RADIX], u[RADIX], v[RADIX];
        for (std::size_t k = 0; k < RADIX; k++) {
            cosines[k] = pass.root_cosines[k];
            sines[k] = pass.root_sines[k];
            u[k] = k ? pass.cosines[(k - 1) * n + p] : T(1);
            v[k] = k ? pass.sines[(k - 1) * n + p] : T(0);
        }
        for (std::size_t q = 0; q < stride; q++)
            butterfly<RADIX>(a + from + q, b + from + q, stride * n, cosines, sines, u, v, c + to + q, d + to + q,
                             stride);
    }

    // A butterfly of odd radix, by sums and differences of the values that lie opposite each other.
    template <std::size_t RADIX>
    RTNMF_INLINE static void butterfly(const T* __restrict a, const T* __restrict b, std::size_t step,
                                       const T (&cosines)[RADIX], const T (&sines)[RADIX], const T (&u)[RADIX],
                                       const T (&v)[RADIX], T* __restrict c, T* __restrict d, std::size_t apart) {
        constexpr std::size_t HALF = RADIX / 2;
        T even[HALF + 1], even_i[HALF + 1], odd[HALF + 1], odd_i[HALF + 1], total = a[0], total_i = b[0];
#pragma GCC unroll 8
        for (std::size_t j = 1; j <= HALF; j++) {
            even[j] = a[j * step] + a[(RADIX - j) * step];
            even_i[j] = b[j * step] + b[(RADIX - j) * step];
            odd[j] = a[j * step] - a[(RADIX - j) * step];
            odd_i[j] = b[j * step] - b[(RADIX - j) * step];
            total += even[j];
            total_i += even_i[j];
        }
        c[0] = total;
        d[0] = total_i;
#pragma GCC unroll 8
        for (std::size_t k = 1; k <= HALF; k++) {
            T x = a[0], y = b[0], z = 0, w = 0;
#pragma GCC unroll 8
            for (std::size_t j = 1; j <= HALF; j++) {
                x += even[j] * cosines[j * k % RADIX];
                y += even_i[j] * cosines[j * k % RADIX];
                z += odd_i[j] * sines[j * k % RADIX];
                w += odd[j] * sines[j * k % RADIX];
            }
            c[k * apart] = (x - z) * u[k] - (y + w) * v[k];
            d[k * apart] = (x - z) * v[k] + (y + w) * u[k];
            c[(RADIX - k) * apart] = (x + z) * u[RADIX - k] - (y - w) * v[RADIX - k];
            d[(RADIX - k) * apart] = (x + z) * v[RADIX - k] + (y - w) * u[RADIX - k];
        }
    }

    RTNMF_INLINE static void pass_of_any(const Pass& pass, std::size_t stride, std::size_t p, const T* __restrict a,
                                         const T* __restrict b, T* __restrict c, T* __restrict d) {
        const std::size_t radix = pass.radix, n = pass.n_groups;
        for (std::size_t k = 0; k < radix; k++) {
            const T u = k ? pass.cosines[(k - 1) * n + p] : T(1), v = k ? pass.sines[(k - 1) * n + p] : T(0);
            T *to = c + stride * (radix * p + k), *to_i = d + stride * (radix * p + k);
            for (std::size_t q = 0; q < stride; q++) {
                T x = 0, y = 0;
                for (std::size_t j = 0; j < radix; j++) {
                    const std::size_t from = q + stride * (p + j * n), turn = j * k % radix;
                    x += a[from] * pass.root_cosines[turn] - b[from] * pass.root_sines[turn];
                    y += a[from] * pass.root_sines[turn] + b[from] * pass.root_cosines[turn];
                }
                to[q] = x * u - y * v;
                to_i[q] = x * v + y * u;
            }
        }
    }
};

// A complex transform of any length as a convolution (Bluestein; see L. R. Rabiner, R. W. Schafer and C. M. Rader,
// "The chirp z-transform algorithm", IEEE Transactions on Audio and Electroacoustics 17(2), 1969).
class ChirpFft {
  public:
    explicit ChirpFft(std::size_t n_values)
        : length(n_values),
          padded(padded_length(n_values)),
          fft(padded),
          chirp(n_values),
          chirp_i(n_values),
          kernel(padded),
          kernel_i(padded),
          x(padded),
          y(padded) {
        for (std::size_t j = 0; j < length; j++) {
            const double angle = -PI * static_cast<double>(j * j % (2 * length)) / static_cast<double>(length);
            chirp[j] = std::cos(angle);
            chirp_i[j] = std::sin(angle);
            kernel[j] = kernel[(padded - j) % padded] = chirp[j] / static_cast<double>(padded);
            kernel_i[j] = kernel_i[(padded - j) % padded] = -chirp_i[j] / static_cast<double>(padded);
        }
        fft.run(kernel.data(), kernel_i.data());
    }

    // Not inlined: such lengths are rare, and it would be compiled for each kind of processor.
    __attribute__((noinline)) void run(float* real, float* imag) {
        for (std::size_t j = 0; j < length; j++) {
            x[j] = real[j] * chirp[j] - imag[j] * chirp_i[j];
            y[j] = real[j] * chirp_i[j] + imag[j] * chirp[j];
        }
        for (std::size_t j = length; j < padded; j++) x[j] = y[j] = 0;
        fft.run(x.data(), y.data());
        for (std::size_t j = 0; j < padded; j++) {
            const double product = x[j] * kernel[j] - y[j] * kernel_i[j];
            y[j] = x[j] * kernel_i[j] + y[j] * kernel[j];
            x[j] = product;
        }
        fft.run(y.data(), x.data());
        for (std::size_t j = 0; j < length; j++) {
            real[j] = static_cast<float>(x[j] * chirp[j] - y[j] * chirp_i[j]);
            imag[j] = static_cast<float>(x[j] * chirp_i[j] + y[j] * chirp[j]);
        }
    }

  private:
    static std::size_t padded_length(std::size_t n) {
        std::size_t padded = 1;
        while (padded < 2 * n) padded *= 2;
        return padded;
    }

    std::size_t length, padded;
    Fft<double> fft;
    Array<double> chirp, chirp_i, kernel, kernel_i, x, y;
};

// The transform of a real signal of even length, as a complex one of half of it.
class RealFft {
  public:
    explicit RealFft(std::size_t n_fft)
        : half(n_fft / 2),
          is_smooth(Fft<float>::suits(half)),
          fft(is_smooth ? half : 1),
          chirp_fft(is_smooth ? 1 : half),
          real(half + 1),
          imag(half + 1),
          cosines(half + 1),
          sines(half + 1) {
        for (std::size_t k = 0; k <= half; k++) {
            const double angle = PI * static_cast<double>(k) / static_cast<double>(half);
            cosines[k] = static_cast<float>(std::cos(angle));
            sines[k] = k == half ? 0.0f : static_cast<float>(std::sin(angle));
        }
    }

    // Sets the spectrum, n_fft / 2 + 1 bins, of n_fft samples.
    RTNMF_INLINE void forward(const float* __restrict x, float* __restrict to_real, float* __restrict to_imag) {
        float *a = real.data(), *b = imag.data();
        for (std::size_t j = 0; j < half; j++) {
            a[j] = x[2 * j];
            b[j] = x[2 * j + 1];
        }
        complex(a, b);
        a[half] = a[0];
        b[half] = b[0];
        const float *u = cosines.data(), *v = sines.data();
        for (std::size_t k = 0; k <= half; k++) {
            const float even = a[k] + a[half - k], even_i = b[k] - b[half - k];
            const float odd = b[k] + b[half - k], odd_i = a[half - k] - a[k];
            to_real[k] = 0.5f * (even + (odd * u[k] + odd_i * v[k]));
            to_imag[k] = 0.5f * (even_i + (odd_i * u[k] - odd * v[k]));
        }
    }

    // Sets n_fft samples from a spectrum, divided by n_fft, so that they are those that were transformed.
    RTNMF_INLINE void inverse(const float* __restrict from_real, const float* __restrict from_imag,
                              float* __restrict x) {
        float *a = real.data(), *b = imag.data();
        const float *u = cosines.data(), *v = sines.data(), scale = 0.5f / static_cast<float>(half);
        for (std::size_t k = 0; k < half; k++) {
            const float even = from_real[k] + from_real[half - k], even_i = from_imag[k] - from_imag[half - k];
            const float gap = from_real[k] - from_real[half - k], gap_i = from_imag[k] + from_imag[half - k];
            const float odd = gap * u[k] - gap_i * v[k], odd_i = gap_i * u[k] + gap * v[k];
            a[k] = scale * (even - odd_i);
            b[k] = scale * (even_i + odd);
        }
        complex(b, a);
        for (std::size_t j = 0; j < half; j++) {
            x[2 * j] = a[j];
            x[2 * j + 1] = b[j];
        }
    }

  private:
    RTNMF_INLINE void complex(float* a, float* b) {
        if (is_smooth)
            fft.run(a, b);
        else
            chirp_fft.run(a, b);
    }

    std::size_t half;
    bool is_smooth;
    Fft<float> fft;
    ChirpFft chirp_fft;
    Floats real, imag, cosines, sines;
};

}  // namespace rtnmf
