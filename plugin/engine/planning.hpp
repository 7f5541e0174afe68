// What a dictionary means for the hop: columns in tiles, windows, and the constants of its model.
//
// A port of rtnmf/dictionary/planning.py.
#pragma once

#include "dictionary.hpp"
#include "hop.hpp"

namespace rtnmf {

constexpr double MOST_STREAM_VALUES = 134217728, MOST_WORK = 3e11;
constexpr std::uint32_t MOST_CHANNELS = 64;

inline void check_channels(std::uint32_t n_channels) {
    if (n_channels < 1 || n_channels > MOST_CHANNELS)
        throw Refusal("n_channels is " + std::to_string(n_channels) + ", expected 1 to 64");
}

// Throws Refusal if a stream would take too much memory, or too much work for each second of sound.
inline void check_affordable(const Dictionary& dictionary, std::uint32_t n_channels, int n_iter) {
    const double n_fft = dictionary.stft.n_fft, n_sets = dictionary.is_trained() ? 4 : 1, channels = n_channels;
    const double n_sources = static_cast<double>(dictionary.sources().size());
    const double n_components = static_cast<double>(dictionary.n_components());
    const double values = n_components * n_sets / 2 + n_sources * (3 * channels + 0.5) + 16;
    check_product("the number of values that the stream holds", MOST_STREAM_VALUES,
                  "use fewer components or sources, a shorter window or fewer channels", {n_fft, values});
    const double work = n_components * n_sets * (n_iter + 1) + 20 * (n_sources + 1) * channels;
    const double frames = static_cast<double>(dictionary.sample_rate) / dictionary.stft.hop_length;
    check_product("the number of multiplications for a second of sound", MOST_WORK,
                  "use fewer components or updates, a larger hop_length, or a lower sample rate",
                  {frames, n_fft, work});
}

namespace planning {

constexpr double LOWEST = 3;  // up to so many times audible_hz, what is low is shared like the lowest audible sound

// Adds columns, [component][n_bins], to others in tiles, the last one filled up with zeros.
inline void add_tiled(const Floats& columns, std::size_t n_components, std::size_t n_bins, Floats& tiles) {
    for (std::size_t begin = 0; begin < n_bins; begin += TILE)
        for (std::size_t k = 0; k < n_components; k++) {
            const float* column = columns.data() + k * n_bins;
            const std::size_t n = std::min(TILE, n_bins - begin);
            tiles.insert(tiles.end(), column + begin, column + begin + n);
            tiles.insert(tiles.end(), TILE - n, 0.0f);
        }
}

// Returns where the components of each source begin, and the last ones end.
inline std::vector<std::size_t> bounds(const std::vector<std::string>& labels) {
    std::vector<std::size_t> edges = {0};
    for (std::size_t k = 1; k <= labels.size(); k++)
        if (k == labels.size() || labels[k] != labels[k - 1]) edges.push_back(k);
    return edges;
}

// Returns the share of each source in what is inaudibly low: that of its components in the lowest audible sound.
inline Floats low_shares(const Dictionary& dictionary, const std::vector<std::size_t>& bounds) {
    const std::size_t n_bins = dictionary.stft.n_bins(), n_sources = bounds.size() - 1;
    const double bin_hz = static_cast<double>(dictionary.sample_rate) / dictionary.stft.n_fft;
    const double first = std::ceil(dictionary.model.audible_hz / bin_hz);
    const double last = std::max(first, std::ceil(LOWEST * dictionary.model.audible_hz / bin_hz));
    std::vector<double> levels(n_sources);
    double total = 0;
    for (std::size_t s = 0; s < n_sources; s++) {
        for (std::size_t k = bounds[s]; k < bounds[s + 1]; k++)
            for (std::size_t b = static_cast<std::size_t>(std::min(first, double(n_bins)));
                 b < n_bins && double(b) <= last; b++)
                levels[s] += static_cast<double>(dictionary.components[k * n_bins + b]);
        levels[s] = levels[s] / static_cast<double>(bounds[s + 1] - bounds[s]) + 1e-9;
        total += levels[s];
    }
    Floats shares(n_sources);
    for (std::size_t s = 0; s < n_sources; s++) shares[s] = static_cast<float>(levels[s] / total);
    return shares;
}

}  // namespace planning

// Returns what the hop needs to know of a dictionary whose components are grouped by source.
inline Plan planned(const Dictionary& dictionary) {
    const Stft& stft = dictionary.stft;
    const Model& model = dictionary.model;
    const std::size_t n = dictionary.n_components(), n_bins = stft.n_bins();
    Plan plan = {};
    plan.n_fft = stft.n_fft;
    plan.hop_length = stft.hop_length;
    plan.latency = stft.latency;
    plan.n_components = n;
    plan.n_explanations = dictionary.is_trained() ? 2 : 1;
    plan.analysis_window = analysis_window(stft);
    plan.synthesis_window = synthesis_window(stft);
    const auto basis = trend_basis(stft, dictionary.sample_rate, model.audible_hz);
    plan.n_terms = basis.size();
    for (const std::vector<double>& term : basis)
        for (double x : term) plan.trend_basis.push_back(static_cast<float>(x));
    plan.W.reserve(plan.n_explanations * plan.values_of_explanation());
    planning::add_tiled(dictionary.components, n, n_bins, plan.W);
    if (dictionary.is_trained()) {
        plan.M.reserve(plan.W.capacity());
        plan.M = plan.W;
        planning::add_tiled(dictionary.update_components, n, n_bins, plan.W);
        planning::add_tiled(dictionary.mask_components, n, n_bins, plan.M);
    }
    plan.memory[0] = static_cast<float>(model.memory);
    plan.weights[0] = dictionary.is_trained() ? static_cast<float>(model.weights[0]) : 1.0f;
    plan.weights[1] = static_cast<float>(model.weights[1]);
    plan.relaxation = static_cast<float>(model.relaxation);
    plan.reach = static_cast<float>(model.reach);
    plan.bounds = planning::bounds(dictionary.labels);
    plan.n_sources = plan.bounds.size() - 1;
    plan.low_shares = planning::low_shares(dictionary, plan.bounds);
    return plan;
}

}  // namespace rtnmf
