#include "text.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "DistrhoUtils.hpp"
#include "extra/ScopedSafeLocale.hpp"

namespace rtnmf {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Returns how many of the first bytes of a text to keep so that no more than `most` remain, in whole characters.
size_t whole_characters(const char* text, size_t length, size_t most) {
    if (length <= most) return length;
    while (most > 0 && continues(text[most])) --most;
    return most;
}

// Returns the character at the beginning of a text in UTF-8, and moves on.
uint32_t next(const char*& text) {
    static constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    const auto first = static_cast<unsigned char>(*text++);
    if (first < 0x80) return first;
    const int n_more = first >= 0xf8 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t found = n_more > 0 ? first & (0x3f >> n_more) : kReplacement;
    for (int i = 0; i < n_more; ++i) {
        if (!continues(*text)) return kReplacement;
        found = found << 6 | (static_cast<unsigned char>(*text++) & 0x3f);
    }
    const bool is_character = found >= kLeast[n_more] && found < 0x110000 && (found & 0x1ff800) != 0xd800;
    return is_character ? found : kReplacement;
}

// Returns the character at the beginning of a text in UTF-16, and moves on.
uint32_t next(const int16_t*& text) {
    const auto first = static_cast<uint16_t>(*text++);
    if ((first & 0xf800) != 0xd800) return first;
    const auto second = static_cast<uint16_t>(*text);
    if (first >= 0xdc00 || (second & 0xfc00) != 0xdc00) return kReplacement;
    ++text;
    return 0x10000 + ((first & 0x3ffu) << 10 | (second & 0x3ffu));
}

// Writes a character in UTF-16, or in UTF-8, and returns in how many units.
size_t write(uint32_t character, int16_t* units) {
    if (character < 0x10000) {
        units[0] = static_cast<int16_t>(character);
        return 1;
    }
    units[0] = static_cast<int16_t>(0xd800 + ((character - 0x10000) >> 10));
    units[1] = static_cast<int16_t>(0xdc00 + (character & 0x3ff));
    return 2;
}

size_t write(uint32_t character, char* units) {
    static constexpr unsigned char kFirst[] = {0, 0xc0, 0xe0, 0xf0};
    const size_t n_more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    for (size_t i = n_more; i > 0; --i, character >>= 6) units[i] = static_cast<char>(0x80 | (character & 0x3f));
    units[0] = static_cast<char>(kFirst[n_more] | character);
    return n_more + 1;
}

template <typename To, typename From>
void convert(To* to, const From* text, size_t size) {
    while (size > 0 && *text != 0) {
        To units[4];
        const size_t length = write(next(text), units);
        if (length >= size) break;
        to = std::copy_n(units, length, to);
        size -= length;
    }
    if (size > 0) *to = 0;
}

}  // namespace

void copy_text(char* to, const char* text, size_t size) noexcept {
    if (size == 0) return;
    const size_t length = whole_characters(text, std::strlen(text), size - 1);
    std::memcpy(to, text, length);
    to[length] = '\0';
}

void copy_text(int16_t* to, const char* text, size_t size) noexcept { convert(to, text, size); }
void copy_text(char* to, const int16_t* text, size_t size) noexcept { convert(to, text, size); }

std::string cut(std::string text, size_t most) {
    text.resize(whole_characters(text.c_str(), text.size(), most));
    return text;
}

double decimal(const char* text) {
    std::string pointed = text;
    std::replace(pointed.begin(), pointed.end(), ',', '.');
    const DISTRHO_NAMESPACE::ScopedSafeLocale safe;
    return std::strtod(pointed.c_str(), nullptr);
}

}  // namespace rtnmf
