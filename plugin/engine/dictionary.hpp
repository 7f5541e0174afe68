// The dictionary: what was learned, read from the bytes of a .safetensors file of unknown origin, and at other rates.
//
// A port of what rtnmf.Dictionary.load checks (rtnmf/dictionary), of Dictionary.at_rate and of the order of
// Dictionary.select. Formats 1 to 4 are read. What no stream needs (divergences, frames, texts) is checked and dropped.
#pragma once

#include <set>

#include "model.hpp"
#include "safetensors.hpp"
#include "stft.hpp"

namespace rtnmf {

constexpr double MOST_COLUMN_VALUES = 33554432, MOST_FRAME_VALUES = 268435456;
constexpr std::size_t MOST_POINTS = 100000, LONGEST_NAME = 64, LONGEST_TEXT = 10000;
constexpr std::uint32_t HIGHEST_RATE = 10000000;

// Components, the source of each, and the STFT and the model that they were learned for.
struct Dictionary {
    Stft stft;
    std::uint32_t sample_rate;  // in Hz
    Model model;
    std::vector<std::string> labels;                          // of each component, UTF-8
    Floats components, update_components, mask_components;    // [component][n_bins]; the last two may be empty
    std::string rest;                                         // the source that was not taught, or empty
    std::uint64_t n_frames;                                   // of the recordings, kept in the file for training

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

using Texts = std::map<std::string, std::string>;

inline std::uint32_t whole(const Texts& texts, const char* name) {
    const std::string& text = texts.at(name);
    const bool is_number = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) throw Refusal(std::string(name) + " is " + quoted(text) + ", expected a whole number");
    return static_cast<std::uint32_t>(std::stoul(text));
}

inline void check_entries(const Container& container) {
    static const char* const keys[] = {"format", "labels", "learned_from", "divergences", "sample_rate", "n_fft", "hop_length",
                                       "latency", "description", "licence", "rtnmf_version", "model", "rest", "frames", "voices"};
    static const std::size_t n_keys[] = {11, 12, 14, 15};
    const Texts& texts = container.metadata;
    const auto format = texts.find("format");
    if (format == texts.end() || format->second.size() != 1 || format->second < "1" || format->second > "4")
        throw Refusal("its format is " + (format == texts.end() ? "missing" : quoted(format->second)) +
                      ", expected '1' to '4': a newer rtnmf may know it");
    const std::set<std::string> wanted(keys, keys + n_keys[format->second[0] - '1']);
    std::set<std::string> arrays = {"components"};
    if (container.tensors.count("update_components") || container.tensors.count("mask_components"))
        arrays.insert({"update_components", "mask_components"});
    const auto frames = texts.find("frames");
    if (frames != texts.end() && frames->second != "{}") arrays.insert("frames");
    const auto check = [](const auto& given, const std::set<std::string>& expected) {
        for (const auto& entry : given)
            if (!expected.count(entry.first)) throw Refusal("unknown entry: " + quoted(entry.first));
        for (const std::string& name : expected)
            if (!given.count(name)) throw Refusal("missing entry: " + quoted(name));
    };
    check(texts, wanted);
    check(container.tensors, arrays);
    for (const auto& entry : container.tensors)
        if (entry.second.dtype != (entry.first == "frames" ? "U8" : "F32"))
            throw Refusal(entry.first + " are " + quoted(entry.second.dtype) + ", expected F32 for columns and U8 for frames");
}

// Throws Refusal if a text is not one line without control characters.
inline void check_text(const char* name, const std::string& text) {
    std::vector<char32_t> characters;
    const bool is_usable = decode_utf8(text, characters) && characters.size() <= LONGEST_TEXT &&
                           std::all_of(characters.begin(), characters.end(), [](char32_t c) { return is_plain(c); });
    if (!is_usable) throw Refusal(std::string(name) + " is not one line of text without control characters");
}

// Throws Refusal if a name cannot be that of a source: 1 to 64 printable characters, at least one to be seen.
inline void check_source_name(const std::string& name) {
    std::vector<char32_t> c;
    const bool is_usable = decode_utf8(name, c) && !c.empty() && c.size() <= LONGEST_NAME && c.front() != ' ' &&
                           c.back() != ' ' && std::all_of(c.begin(), c.end(), [](char32_t x) { return is_printable(x); });
    if (!is_usable) throw Refusal("source name " + quoted(name) + " is not usable: expected 1 to 64 printable characters");
    if (!std::any_of(c.begin(), c.end(), [](char32_t x) { return is_seen(x); }))
        throw Refusal("source name " + quoted(name) + " is not usable: nothing of it can be seen");
}

inline std::vector<std::string> strings(const Texts& texts, const char* name) {
    const json::Value value = json::read(texts.at(name));
    const json::List* list = value.as<json::List>();
    std::vector<std::string> found;
    if (list)
        for (const json::Value& item : *list)
            if (const std::string* text = item.as<std::string>()) found.push_back(*text);
    if (!list || found.size() < list->size()) throw Refusal(std::string(name) + " is not a sequence of texts");
    return found;
}

inline void check_known(const std::string& name, const std::set<std::string>& sources, const char* what) {
    if (!sources.count(name)) throw Refusal(std::string(what) + " " + quoted(name) + " is not one of the sources");
}

inline void check_voices(const Texts& texts, const std::set<std::string>& sources, const std::string& rest) {
    if (!texts.count("voices")) return;
    for (const std::string& voice : strings(texts, "voices")) {
        check_known(voice, sources, "the voice");
        if (!rest.empty() && voice == rest) throw Refusal("the rest " + quoted(rest) + " is among the voices: leave it out");
    }
}

inline bool is_point(const json::Value& value) {
    const json::List* pair = value.as<json::List>();
    if (!pair || pair->size() != 2) return false;
    const json::Number *iteration = (*pair)[0].as<json::Number>(), *divergence = (*pair)[1].as<json::Number>();
    return iteration && divergence && iteration->is_whole && iteration->value >= 0 && iteration->value <= 1e9 &&
           is_within(divergence->value, -1e12, 1e12);
}

inline void check_divergences(const Texts& texts, const std::set<std::string>& sources) {
    const json::Value value = json::read(texts.at("divergences"));
    const json::Object* curves = value.as<json::Object>();
    std::size_t n_points = 0;
    if (!curves) throw Refusal("divergences are not named after sources");
    for (const json::Entry& curve : *curves) {
        if (!curve.name.empty()) check_known(curve.name, sources, "divergences are given:");
        const json::List* points = curve.value.as<json::List>();
        const std::string* text = curve.value.as<std::string>();
        const json::Object* object = curve.value.as<json::Object>();
        const bool is_empty = (text && text->empty()) || (object && object->empty());
        if (!is_empty && (!points || !std::all_of(points->begin(), points->end(), is_point)))
            throw Refusal("divergences are not pairs of an iteration and a number of at most 1e12");
        n_points += points ? points->size() : 0;
    }
    if (n_points > MOST_POINTS) throw Refusal("divergences are more than 100000 points: keep fewer of each source");
}

// Returns the number of frames of all sources, which lie side by side, shape [n_bins][n_frames].
inline std::uint64_t checked_frames(const Container& container, const std::set<std::string>& sources, std::size_t n_bins) {
    const auto text = container.metadata.find("frames");
    if (text == container.metadata.end()) return 0;
    const json::Value value = json::read(text->second);
    const json::Object* counts = value.as<json::Object>();
    if (!counts) throw Refusal("frames are " + quoted(text->second) + ", expected the number of frames of each source");
    const auto found = container.tensors.find("frames");
    std::uint64_t total = 0;
    for (const json::Entry& entry : *counts) {
        const json::Number* number = entry.value.as<json::Number>();
        if (!number || !number->is_whole || !(0 < number->value && number->value < 1e7))
            throw Refusal("frames are " + quoted(text->second) + ", expected the number of frames of each source");
        check_known(entry.name, sources, "frames are given:");
        total += static_cast<std::uint64_t>(number->value);
    }
    if (found == container.tensors.end()) return 0;
    const Tensor& tensor = found->second;
    if (!total || tensor.shape.size() != 2 || tensor.shape[1] != total || tensor.shape[0] != n_bins)
        throw Refusal("frames have another shape than (" + std::to_string(n_bins) + ", " + std::to_string(total) + ")");
    check_product("the number of values of the frames", MOST_FRAME_VALUES, "keep fewer frames",
                  {static_cast<double>(n_bins), static_cast<double>(total)});
    std::uint64_t begin = 0;
    for (const json::Entry& entry : *counts) {
        const std::uint64_t n = static_cast<std::uint64_t>(entry.value.as<json::Number>()->value);
        bool is_silent = true;
        for (std::size_t b = 0; b < n_bins && is_silent; b++) {
            const unsigned char* row = tensor.bytes + b * total + begin;
            is_silent = std::all_of(row, row + n, [](unsigned char x) { return x == 0; });
        }
        if (is_silent) throw Refusal("frames of " + quoted(entry.name) + " are all silent: leave them out");
        begin += n;
    }
    return total;
}

// Divides a column by its sum, if that is not 1 already.
inline void normalise_column(float* column, std::size_t n_bins, const char* name) {
    double total = 0;
    for (std::size_t b = 0; b < n_bins; b++) total += static_cast<double>(column[b]);
    if (!(total > 0)) throw Refusal(std::string("a column of ") + name + " is all zero: leave it out");
    if (std::fabs(total - 1) < 1e-6) return;
    for (std::size_t b = 0; b < n_bins; b++) column[b] = static_cast<float>(static_cast<double>(column[b]) / total);
}

// Returns columns, stored as [n_bins][component], as [component][n_bins], each divided by its sum.
inline Floats columns(const Container& container, const char* name, std::size_t n_bins, std::size_t n_components) {
    const auto found = container.tensors.find(name);
    if (found == container.tensors.end()) return {};
    const Tensor& tensor = found->second;
    if (tensor.shape != std::vector<std::uint64_t>{n_bins, n_components})
        throw Refusal(std::string(name) + " have another shape than (" + std::to_string(n_bins) + ", " +
                      std::to_string(n_components) + "), one column for each label");
    Floats array(n_bins * n_components);
    for (std::size_t b = 0; b < n_bins; b++)
        for (std::size_t k = 0; k < n_components; k++) {
            const unsigned char* at = tensor.bytes + 4 * (b * n_components + k);
            std::uint32_t bits = 0;
            for (int i = 3; i >= 0; i--) bits = bits << 8 | at[i];
            if (bits != 0x80000000 && bits >= 0x7f800000)  // the bits of numbers that are negative, infinite or none
                throw Refusal(std::string(name) + " hold negative or non-finite values, expected magnitudes");
            if (bits != 0x80000000) std::memcpy(&array[k * n_bins + b], &bits, sizeof bits);
        }
    for (std::size_t k = 0; k < n_components; k++) normalise_column(array.data() + k * n_bins, n_bins, name);
    return array;
}

inline void check_size(std::size_t n_bins, std::size_t n_components, bool is_trained) {
    check_product("the number of values of the dictionary", MOST_COLUMN_VALUES,
                  "use fewer components, a shorter window or a lower sample rate",
                  {static_cast<double>(n_bins), static_cast<double>(n_components), is_trained ? 3.0 : 1.0});
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

// Integrates a column, taken as constant within a bin, over the bins of another STFT.
inline void rebin(const float* column, std::size_t n_bins, double from_hz, float* moved, std::size_t n_moved, double to_hz) {
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
        moved[b] = static_cast<float>(up_to((static_cast<double>(b) + 0.5) * to_hz) - up_to((static_cast<double>(b) - 0.5) * to_hz));
}

inline Floats rebinned(const Floats& columns, const Stft& from, double from_hz, const Stft& to, double to_hz) {
    const std::size_t n_bins = from.n_bins(), n_moved = to.n_bins(), n = columns.size() / n_bins;
    Floats moved(n * n_moved);
    for (std::size_t k = 0; k < n; k++) rebin(columns.data() + k * n_bins, n_bins, from_hz, moved.data() + k * n_moved, n_moved, to_hz);
    return moved;
}

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

// Returns the dictionary for another sample rate; components that lie above it are left out. Throws Refusal if a source has
// none left, or the STFT or the frames would become too short or too long.
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
        *columns = reading::rebinned(*columns, dictionary.stft, from_hz, moved.stft, to_hz);
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
            throw Refusal(quoted(source) + ": nothing is left at " + std::to_string(sample_rate) + " Hz: use a higher sample rate");
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
