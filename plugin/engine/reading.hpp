// The parts of a dictionary, as a file of unknown origin has them: each is checked here before it is used.
//
// A port of what rtnmf/dictionary/file.py, parts.py and examples.py check. What no stream needs is checked all the
// same.
#pragma once

#include <set>

#include "arithmetic.hpp"
#include "model.hpp"
#include "safetensors.hpp"

namespace rtnmf {

constexpr double MOST_COLUMN_VALUES = 33554432, MOST_FRAME_VALUES = 268435456;
constexpr std::size_t MOST_POINTS = 100000, LONGEST_NAME = 64, LONGEST_TEXT = 10000;

namespace reading {

using Texts = std::map<std::string, std::string>;

inline std::uint32_t whole(const Texts& texts, const char* name) {
    const std::string& text = texts.at(name);
    const bool is_number =
        !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) throw Refusal(std::string(name) + " is " + quoted(text) + ", expected a whole number");
    return static_cast<std::uint32_t>(std::stoul(text));
}

inline void check_entries(const Container& container) {
    static const char* const keys[] = {"format",        "labels",     "learned_from", "divergences", "sample_rate",
                                       "n_fft",         "hop_length", "latency",      "description", "licence",
                                       "rtnmf_version", "model",      "rest",         "frames",      "voices"};
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
            throw Refusal(entry.first + " are " + quoted(entry.second.dtype) +
                          ", expected F32 for columns and U8 for frames");
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
                           c.back() != ' ' &&
                           std::all_of(c.begin(), c.end(), [](char32_t x) { return is_printable(x); });
    if (!is_usable)
        throw Refusal("source name " + quoted(name) + " is not usable: expected 1 to 64 printable characters");
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
        if (!rest.empty() && voice == rest)
            throw Refusal("the rest " + quoted(rest) + " is among the voices: leave it out");
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
inline std::uint64_t checked_frames(const Container& container, const std::set<std::string>& sources,
                                    std::size_t n_bins) {
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

}  // namespace reading

}  // namespace rtnmf
