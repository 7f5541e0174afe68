// The container of a dictionary file: texts and arrays, as the safetensors library reads them, not yet checked further.
#pragma once

#include <cmath>
#include <cstring>
#include <map>

#include "json.hpp"

namespace rtnmf {

constexpr std::uint64_t MOST_HEADER_BYTES = std::uint64_t(1) << 23;
constexpr std::uint64_t LARGEST_FILE = std::uint64_t(512) << 20;

// An array in the bytes of a file, which must outlive it.
struct Tensor {
    std::string dtype;
    std::vector<std::uint64_t> shape;
    const unsigned char* bytes;
    std::uint64_t begin, end;
};

struct Container {
    std::map<std::string, std::string> metadata;
    std::map<std::string, Tensor> tensors;
};

[[noreturn]] inline void refuse_damaged(const std::string& reason) {
    throw Refusal("not a dictionary, or a damaged one (" + reason + "): expected a file that rtnmf learned or saved");
}

inline std::uint64_t whole_of(const json::Value& value) {
    const json::Number* number = value.as<json::Number>();
    if (!number || !number->is_whole || std::signbit(number->value) || !(number->value < 9e15))
        refuse_damaged("a size is not a whole number");
    return static_cast<std::uint64_t>(number->value);
}

inline std::vector<std::uint64_t> wholes_of(const json::Object& object, const char* name) {
    const json::Value* value = json::find(object, name);
    const json::List* list = value ? value->as<json::List>() : nullptr;
    if (!list) refuse_damaged(std::string("an array has no ") + name);
    std::vector<std::uint64_t> wholes;
    for (const json::Value& item : *list) wholes.push_back(whole_of(item));
    return wholes;
}

inline Tensor tensor_of(const json::Value& value, const unsigned char* data) {
    const json::Object* object = value.as<json::Object>();
    if (!object) refuse_damaged("an array is not described");
    const json::Value* type = json::find(*object, "dtype");
    if (!type || !type->as<std::string>()) refuse_damaged("an array has no dtype");
    const std::vector<std::uint64_t> offsets = wholes_of(*object, "data_offsets");
    if (offsets.size() != 2 || offsets[1] < offsets[0]) refuse_damaged("an array has no place");
    return {*type->as<std::string>(), wholes_of(*object, "shape"), data + offsets[0], offsets[0], offsets[1]};
}

// Returns the bytes that an array of such a shape has, or throws Refusal.
inline std::uint64_t bytes_of(const Tensor& tensor) {
    if (tensor.dtype != "F32" && tensor.dtype != "U8")
        refuse_damaged("an array is of type " + quoted(tensor.dtype) + ", expected F32 for columns and U8 for frames");
    double size = tensor.dtype == "F32" ? 4 : 1;
    for (std::uint64_t length : tensor.shape) size *= static_cast<double>(length);
    if (!(size <= static_cast<double>(LARGEST_FILE))) refuse_damaged("an array is larger than a file can be");
    return static_cast<std::uint64_t>(size);
}

// Checks that arrays lie one behind the other, as large as they say, up to the end of the file.
inline void check_places(const std::map<std::string, Tensor>& tensors, std::uint64_t n_bytes) {
    std::vector<const Tensor*> ordered;
    for (const auto& entry : tensors) ordered.push_back(&entry.second);
    std::sort(ordered.begin(), ordered.end(), [](const Tensor* a, const Tensor* b) {
        return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
    });
    std::uint64_t place = 0;
    for (const Tensor* tensor : ordered) {
        if (tensor->begin != place || tensor->end - tensor->begin != bytes_of(*tensor))
            refuse_damaged("its arrays do not lie where it says");
        place = tensor->end;
    }
    if (place != n_bytes) refuse_damaged("its arrays do not fill it");
}

inline std::map<std::string, std::string> metadata_of(const json::Value& value) {
    std::map<std::string, std::string> metadata;
    if (value.as<std::monostate>()) return metadata;
    const json::Object* object = value.as<json::Object>();
    if (!object) refuse_damaged("its texts are not named");
    for (const json::Entry& entry : *object) {
        const std::string* text = entry.value.as<std::string>();
        if (!text) refuse_damaged("one of its texts is none");
        metadata[entry.name] = *text;
    }
    return metadata;
}

inline json::Value header_of(const char* first, std::size_t n) {
    std::vector<char32_t> characters;
    if (!decode_utf8(std::string(first, n), characters)) refuse_damaged("its header is no text");
    try {
        json::Value header = json::Reader(first, n, json::Numbers::FINITE).read();
        if (!header.as<json::Object>()) throw Refusal("its header describes nothing");
        return header;
    } catch (const Refusal& refusal) {
        refuse_damaged(refusal.what());
    }
}

// Returns what the bytes of a file hold, which must outlive it, or throws Refusal.
inline Container read_container(const unsigned char* bytes, std::size_t n_bytes) {
    if (n_bytes > LARGEST_FILE) throw Refusal("larger than 512 MiB, too much for a dictionary");
    if (n_bytes < 8) refuse_damaged("it has no header");
    std::uint64_t n_header = 0;
    for (int i = 7; i >= 0; i--) n_header = n_header << 8 | bytes[i];
    if (n_header > n_bytes - 8) refuse_damaged("its header is longer than itself");
    if (n_header > MOST_HEADER_BYTES)
        throw Refusal("its header has " + std::to_string(n_header) + " bytes, expected at most " +
                      std::to_string(MOST_HEADER_BYTES) + ": keep fewer texts and divergences in it");
    const json::Value header = header_of(reinterpret_cast<const char*>(bytes + 8), n_header);
    Container container;
    for (const json::Entry& entry : *header.as<json::Object>())
        if (entry.name == "__metadata__")
            container.metadata = metadata_of(entry.value);
        else
            container.tensors[entry.name] = tensor_of(entry.value, bytes + 8 + n_header);
    check_places(container.tensors, n_bytes - 8 - n_header);
    return container;
}

}  // namespace rtnmf
