// Base64 as sessions hold it; DPF's own reader complains of each odd character and goes on.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace rtnmf {

// Throws where the text is no base64 (RFC 4648, section 4), padded or not.
inline std::string from_base64(const char* text) {
    static const char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int values[256];
    for (int& value : values) value = -1;
    for (int i = 0; i < 64; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
    size_t length = std::strlen(text);
    while (length > 0 && text[length - 1] == '=') --length;
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
