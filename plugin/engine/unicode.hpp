// Characters: UTF-8, and which of them names and texts of a dictionary may hold (rtnmf/checks.py and rtnmf/words.py).
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "characters.hpp"

namespace rtnmf {

inline void append_utf8(std::string& text, char32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c);
        return;
    }
    const int n_more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    text += static_cast<char>((0xff << (7 - n_more) & 0xff) | (c >> 6 * n_more));
    for (int i = n_more - 1; i >= 0; i--) text += static_cast<char>(0x80 | (c >> 6 * i & 0x3f));
}

// Sets the characters of a text, and returns whether it is valid UTF-8.
inline bool decode_utf8(const std::string& text, std::vector<char32_t>& characters) {
    static const char32_t least[] = {0, 0x80, 0x800, 0x10000};
    characters.clear();
    for (std::size_t i = 0; i < text.size();) {
        const unsigned char first = static_cast<unsigned char>(text[i++]);
        const int n_more = first < 0x80                    ? 0
                           : first >= 0xc0 && first < 0xe0 ? 1
                           : first >= 0xe0 && first < 0xf0 ? 2
                           : first >= 0xf0 && first < 0xf8 ? 3
                                                           : -1;
        if (n_more < 0) return false;
        char32_t c = n_more ? first & (0x3f >> n_more) : first;
        for (int k = 0; k < n_more; k++) {
            if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return false;
            c = c << 6 | (static_cast<unsigned char>(text[i++]) & 0x3f);
        }
        if (c < least[n_more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
        characters.push_back(c);
    }
    return true;
}

// Whether a character is in one of the ranges of a table: each begins at an even place, the next place is behind it.
template <std::size_t N>
bool is_in(const char32_t (&table)[N], char32_t c) {
    return (std::upper_bound(std::begin(table), std::end(table), c) - std::begin(table)) % 2;
}

// Whether a character neither moves a cursor nor breaks a line.
inline bool is_plain(char32_t c) { return !is_in(CONTROLS, c); }

// Whether a character is plain and no blank but a space.
inline bool is_printable(char32_t c) { return is_plain(c) && !is_in(BLANKS, c); }

// Whether anything of a printable character can be seen by itself.
inline bool is_seen(char32_t c) { return c != ' ' && !is_in(MARKS, c) && !is_in(EMPTY_LETTERS, c); }

}  // namespace rtnmf
