// The dictionary: what was learned, read from the bytes of a .safetensors file of unknown origin, and at other rates.
//
// A port of what rtnmf.Dictionary.load checks (rtnmf/dictionary), of Dictionary.at_rate and of the order of
// Dictionary.select. Formats 1 to 4 are read. What no stream needs (divergences, frames, texts) is checked and dropped.
#pragma once

#include "reading.hpp"
#include "rebinning.hpp"

namespace rtnmf {

constexpr std::uint32_t HIGHEST_RATE = 10000000;

// Components, the source of each, and the STFT and the model that they were learned for.
struct Dictionary {
    Stft stft;
    std::uint32_t sample_rate;  // in Hz
    Model model;
    std::vector<std::string> labels;                        // of each component, UTF-8
    Floats components, update_components, mask_components;  // [component][n_bins]; the last two may be empty
    std::string rest;                                       // the source that was not taught, or empty
    std::uint64_t n_frames;                                 // of the recordings, kept in the file for training

    std::size_t n_components() const { return labels.size(); }
    bool is_trained() const { return !update_components.empty(); }

    // The names of the sources, in the order of their first components.
    std::vector<std::string> sources() const {
        std::vector<std::string> names;
        std::set<std::string> known;
        for (const std::string& label : labels)
            if (known.insert(label).second) names.push_back(label);
        return names;
    }
};

namespace reading {

// Returns only the chosen columns, in that order.
inline Floats chosen(const Floats& columns, std::size_t n_bins, const std::vector<std::size_t>& order) {
    Floats kept;
    if (columns.empty()) return kept;
    kept.reserve(order.size() * n_bins);
    for (std::size_t k : order)
        kept.insert(kept.end(), columns.begin() + static_cast<std::ptrdiff_t>(k * n_bins),
                    columns.begin() + static_cast<std::ptrdiff_t>((k + 1) * n_bins));
    return kept;
}

inline void keep(Dictionary& dictionary, const std::vector<std::size_t>& order) {
    std::vector<std::string> labels;
    for (std::size_t k : order) labels.push_back(dictionary.labels[k]);
    dictionary.labels = std::move(labels);
    for (Floats* columns : {&dictionary.components, &dictionary.update_components, &dictionary.mask_components})
        *columns = chosen(*columns, dictionary.stft.n_bins(), order);
}

inline Dictionary dictionary_of(const Container& container) {
    const Texts& texts = container.metadata;
    check_entries(container);
    Dictionary made = {};
    made.stft = checked_stft(whole(texts, "n_fft"), whole(texts, "hop_length"), whole(texts, "latency"));
    made.sample_rate = whole(texts, "sample_rate");
    if (!made.sample_rate || made.sample_rate > HIGHEST_RATE)
        throw Refusal("sample_rate is " + std::to_string(made.sample_rate) + ", expected 1 to 10 million Hz");
    if (texts.count("model")) made.model = model_of(texts.at("model"));
    made.labels = strings(texts, "labels");
    if (made.labels.empty()) throw Refusal("there are no labels, expected one for each component");
    const std::size_t n_bins = made.stft.n_bins();
    check_size(n_bins, made.n_components(), container.tensors.count("update_components") != 0);
    made.components = columns(container, "components", n_bins, made.n_components());
    made.update_components = columns(container, "update_components", n_bins, made.n_components());
    made.mask_components = columns(container, "mask_components", n_bins, made.n_components());
    const std::set<std::string> sources(made.labels.begin(), made.labels.end());
    for (const std::string& source : sources) check_source_name(source);
    check_divergences(texts, sources);
    made.n_frames = checked_frames(container, sources, n_bins);
    if (texts.count("rest")) made.rest = texts.at("rest");
    if (!made.rest.empty()) check_known(made.rest, sources, "the rest");
    check_voices(texts, sources, made.rest);
    for (const char* name : {"description", "licence", "rtnmf_version"}) check_text(name, texts.at(name));
    for (const std::string& text : strings(texts, "learned_from")) check_text("learned_from", text);
    return made;
}

}  // namespace reading

// Returns the dictionary that the bytes of a .safetensors file hold, or throws Refusal if they hold none that is valid.
inline Dictionary read_dictionary(const unsigned char* bytes, std::size_t n_bytes) {
    try {
        const Container container = read_container(bytes, n_bytes);
        try {
            return reading::dictionary_of(container);
        } catch (const Refusal& refusal) {
            throw Refusal(std::string("not a dictionary of this version of rtnmf (") + refusal.what() + ")");
        }
    } catch (const std::bad_alloc&) {
        throw Refusal("the dictionary does not fit into memory");
    }
}

// Returns the dictionary for another sample rate; components that lie above it are left out. Throws Refusal if a source
// has none left, or the STFT or the frames would become too short or too long.
inline Dictionary at_rate(const Dictionary& dictionary, std::uint32_t sample_rate) {
    if (!sample_rate || sample_rate > HIGHEST_RATE)
        throw Refusal("sample_rate is " + std::to_string(sample_rate) + ", expected 1 to 10 million Hz");
    if (sample_rate == dictionary.sample_rate) return dictionary;
    Dictionary moved = dictionary;
    moved.sample_rate = sample_rate;
    moved.stft = stft_at(dictionary.stft, dictionary.sample_rate, sample_rate);
    const std::size_t n_bins = moved.stft.n_bins();
    reading::check_size(n_bins, dictionary.n_components(), dictionary.is_trained());
    check_product("the number of values of the frames", MOST_FRAME_VALUES, "use a lower sample rate",
                  {static_cast<double>(n_bins), static_cast<double>(dictionary.n_frames)});
    const double from_hz = static_cast<double>(dictionary.sample_rate) / dictionary.stft.n_fft;
    const double to_hz = static_cast<double>(sample_rate) / moved.stft.n_fft;
    std::vector<bool> is_left(dictionary.n_components(), true);
    for (Floats* columns : {&moved.components, &moved.update_components, &moved.mask_components}) {
        *columns = rebinned(*columns, dictionary.stft, from_hz, moved.stft, to_hz);
        for (std::size_t k = 0; k * n_bins < columns->size(); k++) {
            double total = 0;
            for (std::size_t b = 0; b < n_bins; b++) total += static_cast<double>((*columns)[k * n_bins + b]);
            is_left[k] = is_left[k] && total > 1e-6;
        }
    }
    std::vector<std::size_t> order;
    for (std::size_t k = 0; k < is_left.size(); k++)
        if (is_left[k]) order.push_back(k);
    reading::keep(moved, order);
    const std::vector<std::string> left = moved.sources();
    for (const std::string& source : dictionary.sources())
        if (std::find(left.begin(), left.end(), source) == left.end())
            throw Refusal(quoted(source) + ": nothing is left at " + std::to_string(sample_rate) +
                          " Hz: use a higher sample rate");
    for (Floats* columns : {&moved.components, &moved.update_components, &moved.mask_components})
        for (std::size_t k = 0; k * n_bins < columns->size(); k++)
            reading::normalise_column(columns->data() + k * n_bins, n_bins, "components");
    return moved;
}

// Returns the dictionary with its components grouped by source, in this order of the sources.
inline Dictionary grouped(Dictionary dictionary, const std::vector<std::string>& sources) {
    std::map<std::string, std::size_t> places;
    for (std::size_t s = 0; s < sources.size(); s++) places[sources[s]] = s;
    std::vector<std::size_t> order(dictionary.n_components());
    for (std::size_t k = 0; k < order.size(); k++) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return places.at(dictionary.labels[a]) < places.at(dictionary.labels[b]);
    });
    reading::keep(dictionary, order);
    return dictionary;
}

}  // namespace rtnmf
