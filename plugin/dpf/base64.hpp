// Base64 as sessions hold it (RFC 4648, section 4). DPF's own writes beyond its buffer where there is little to write,
// and reads on after what is no base64.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace rtnmf {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string to_base64(const std::string& bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t held = 0;
        for (size_t j = i; j < i + 3; ++j) held = held << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0);
        for (size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : kDigits[held >> (18 - 6 * j) & 63];
    }
    return text;
}

// Throws where the text is no base64, padded or not, or is empty.
inline std::string from_base64(const char* text) {
    int values[256];
    for (int& value : values) value = -1;
    for (int i = 0; i < 64; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
    size_t length = std::strlen(text);
    while (length > 0 && text[length - 1] == '=') --length;
    if (length == 0) throw std::runtime_error("damaged: nothing but padding");
    std::string bytes;
    bytes.reserve(length * 3 / 4);
    uint32_t held = 0;
    int n_bits = 0;
    for (size_t i = 0; i < length; ++i) {
        const int value = values[static_cast<unsigned char>(text[i])];
        if (value < 0) throw std::runtime_error("damaged: not base64");
        held = held << 6 | static_cast<uint32_t>(value);
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        bytes.push_back(static_cast<char>(held >> n_bits & 0xff));
    }
    return bytes;
}

}  // namespace rtnmf
