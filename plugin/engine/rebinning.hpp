// Columns moved to the bins of another STFT. A port of rtnmf/dictionary/rebinning.py.
#pragma once

#include "stft.hpp"

namespace rtnmf {

// Integrates a column, taken as constant within a bin, over the bins of another STFT.
inline void rebin(const float* column, std::size_t n_bins, double from_hz, float* moved, std::size_t n_moved,
                  double to_hz) {
    std::vector<double> integral(n_bins + 1);
    for (std::size_t b = 0; b < n_bins; b++) integral[b + 1] = integral[b] + static_cast<double>(column[b]);
    const auto up_to = [&](double hz) {
        const double place = hz / from_hz + 0.5;
        if (place <= 0) return 0.0;
        if (place >= static_cast<double>(n_bins)) return integral[n_bins];
        const std::size_t below = static_cast<std::size_t>(place);
        return integral[below] + (place - static_cast<double>(below)) * (integral[below + 1] - integral[below]);
    };
    for (std::size_t b = 0; b < n_moved; b++)
        moved[b] = static_cast<float>(up_to((static_cast<double>(b) + 0.5) * to_hz) -
                                      up_to((static_cast<double>(b) - 0.5) * to_hz));
}

// Returns columns, [component][n_bins], for another STFT.
inline Floats rebinned(const Floats& columns, const Stft& from, double from_hz, const Stft& to, double to_hz) {
    const std::size_t n_bins = from.n_bins(), n_moved = to.n_bins(), n = columns.size() / n_bins;
    Floats moved(n * n_moved);
    for (std::size_t k = 0; k < n; k++)
        rebin(columns.data() + k * n_bins, n_bins, from_hz, moved.data() + k * n_moved, n_moved, to_hz);
    return moved;
}

}  // namespace rtnmf
