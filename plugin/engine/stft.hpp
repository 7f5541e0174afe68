// The settings of a short-time Fourier transform, its windows, and what of a frame is inaudibly low.
//
// A port of rtnmf/frames/stft.py and of stft_at in rtnmf/dictionary/rebinning.py.
#pragma once

#include <cmath>

#include "fft.hpp"
#include "refusal.hpp"

namespace rtnmf {

constexpr double LONGEST_WINDOW = 524288;

// Lengths in samples: of a frame, from one frame to the next, from input to output.
struct Stft {
    std::uint32_t n_fft, hop_length, latency;

    std::size_t n_bins() const { return n_fft / 2 + 1; }
};

// Returns settings if they can be used, or throws Refusal.
inline Stft checked_stft(std::uint32_t n_fft, std::uint32_t hop_length, std::uint32_t latency) {
    check_whole("n_fft", n_fft, 4);
    check_whole("hop_length", hop_length, 1);
    check_whole("latency", latency, 2);
    check_product("the number of samples of a window", LONGEST_WINDOW, "use a shorter one",
                  {static_cast<double>(n_fft)});
    if (n_fft % 2) throw Refusal("n_fft is " + std::to_string(n_fft) + ", expected an even number");
    if (latency % 2 || latency / 2 < hop_length || latency > n_fft)
        throw Refusal("latency is " + std::to_string(latency) + ", expected an even number from 2 * hop_length = " +
                      std::to_string(2 * std::uint64_t(hop_length)) + " to n_fft = " + std::to_string(n_fft));
    return {n_fft, hop_length, latency};
}

// Returns a whole number nearest to a value, the even one of two.
inline double rounded(double value) {
    const double below = std::floor(value), over = value - below;
    if (over != 0.5) return over < 0.5 ? below : below + 1;
    return std::fmod(below, 2) == 0 ? below : below + 1;
}

// Returns the settings that last about as long at another sample rate, all lengths by the same power of two.
inline Stft stft_at(const Stft& stft, std::uint32_t from_rate, std::uint32_t to_rate) {
    const double factor = std::exp2(rounded(std::log2(static_cast<double>(to_rate) / from_rate)));
    const auto even = [](double length) { return 2 * std::floor(length / 2); };
    const double n_fft = even(stft.n_fft * factor), hop_length = std::max(1.0, std::floor(stft.hop_length * factor));
    if (!(4 <= n_fft && n_fft <= LONGEST_WINDOW))
        throw Refusal("n_fft would be " + words_of(stft.n_fft * factor) + " at " + std::to_string(to_rate) +
                      " Hz, expected 4 to 524288: use a sample rate nearer to " + std::to_string(from_rate) + " Hz");
    const double latency = std::max(2 * hop_length, even(stft.latency * factor));
    return checked_stft(static_cast<std::uint32_t>(n_fft), static_cast<std::uint32_t>(hop_length),
                        static_cast<std::uint32_t>(latency));
}

// Returns sample i of the square root of a Hann window of 2 * half samples.
inline double root_hann(std::size_t half, std::size_t i) {
    return std::sin(PI * static_cast<double>(i) / (2 * static_cast<double>(half)));
}

// Returns the window of the forward transform, of n_fft samples.
inline Floats analysis_window(const Stft& stft) {
    const std::size_t fall = stft.latency / 2, rise = stft.n_fft - fall;
    Floats window(stft.n_fft);
    for (std::size_t i = 0; i < rise; i++) window[i] = static_cast<float>(root_hann(rise, i));
    for (std::size_t i = 0; i < fall; i++) window[rise + i] = static_cast<float>(root_hann(fall, fall + i));
    return window;
}

// Returns the window of the inverse transform over the last `latency` samples of a frame.
inline Floats synthesis_window(const Stft& stft) {
    const Floats analysis = analysis_window(stft);
    const std::size_t half = stft.latency / 2;
    std::vector<double> product(stft.latency), sums(stft.hop_length);
    for (std::size_t i = 0; i < product.size(); i++) {
        product[i] = root_hann(half, i) * root_hann(half, i);
        sums[i % stft.hop_length] += product[i];
    }
    Floats window(stft.latency);
    for (std::size_t i = 0; i < window.size(); i++) {
        const double part =
            product[i] > 0 ? product[i] / static_cast<double>(analysis[stft.n_fft - stft.latency + i]) : 0;
        window[i] = static_cast<float>(part / sums[i % stft.hop_length]);
    }
    return window;
}

// Returns windowed Legendre polynomials as rows, [term][n_fft].
inline std::vector<std::vector<double>> windowed_polynomials(const Stft& stft, std::size_t n_terms) {
    const Floats window = analysis_window(stft);
    std::vector<std::vector<double>> rows(n_terms, std::vector<double>(stft.n_fft));
    for (std::size_t i = 0; i < stft.n_fft; i++) {
        const double x = -1 + 2 * static_cast<double>(i) / (stft.n_fft - 1.0);
        double before = 0, last = 1;
        for (std::size_t k = 0; k < n_terms; k++) {
            rows[k][i] = last * static_cast<double>(window[i]);
            const double next = (last * x * (2.0 * static_cast<double>(k) + 1) - before * static_cast<double>(k)) /
                                (static_cast<double>(k) + 1);
            before = last;
            last = next;
        }
    }
    return rows;
}

// Reflects the end of a row in the hyperplane that is orthogonal to a unit vector, which is 0 before `begin`.
inline void reflect(std::vector<double>& row, const std::vector<double>& normal, std::size_t begin) {
    double part = 0;
    for (std::size_t i = begin; i < row.size(); i++) part += row[i] * normal[i];
    for (std::size_t i = begin; i < row.size(); i++) row[i] -= 2 * part * normal[i];
}

// Returns an orthonormal basis of what a windowed frame can hold below a frequency in Hz, [term][n_fft].
//
// By Householder reflections, which also give a basis where the rows of a short frame depend on each other.
inline std::vector<std::vector<double>> trend_basis(const Stft& stft, std::uint32_t sample_rate, double audible_hz) {
    const double wished = rounded(2 * audible_hz * stft.n_fft / sample_rate);
    std::vector<std::vector<double>> normals =
        windowed_polynomials(stft, static_cast<std::size_t>(std::min(16.0, wished)));
    if (normals.size() > stft.n_fft) normals.resize(stft.n_fft);
    for (std::size_t k = 0; k < normals.size(); k++) {
        std::vector<double>& normal = normals[k];
        for (std::size_t j = 0; j < k; j++) reflect(normal, normals[j], j);
        std::fill(normal.begin(), normal.begin() + static_cast<std::ptrdiff_t>(k), 0.0);
        double square = 0;
        for (double x : normal) square += x * x;
        normal[k] += std::copysign(std::sqrt(square), normal[k]);
        square = 0;
        for (double x : normal) square += x * x;
        for (double& x : normal) x = square > 0 ? x / std::sqrt(square) : 0;
    }
    std::vector<std::vector<double>> basis(normals.size(), std::vector<double>(stft.n_fft));
    for (std::size_t k = 0; k < basis.size(); k++) {
        basis[k][k] = 1;
        for (std::size_t j = normals.size(); j-- > 0;) reflect(basis[k], normals[j], j);
    }
    return basis;
}

}  // namespace rtnmf
