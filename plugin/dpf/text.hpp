// Texts as hosts take them: cut where there is no room, in UTF-16, and numbers in any locale. See corrected.cmake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace rtnmf {

// Copies what fits into a size with its final zero; no character of UTF-8 is cut in two.
void copy_text(char* to, const char* text, size_t size) noexcept;
// The same from UTF-8 to UTF-16 and back; what is neither becomes U+FFFD.
void copy_text(int16_t* to, const char* text, size_t size) noexcept;
void copy_text(char* to, const int16_t* text, size_t size) noexcept;

// Returns the beginning of a text that has at most so many bytes, without a piece of a character.
std::string cut(std::string text, size_t most);

// Returns the number at the beginning of a text, with a decimal point or comma, whatever the locale of the host.
double decimal(const char* text);

}  // namespace rtnmf
