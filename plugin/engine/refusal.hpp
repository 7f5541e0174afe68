// What cannot be used, in a line of words, and the checks that say so.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace rtnmf {

// Why a file or a setting cannot be used: what() is one printable line of ASCII.
class Refusal : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Returns a number as a person writes it.
inline std::string words_of(double number) {
    char text[40];
    std::snprintf(text, sizeof text, "%.12g", number);
    return text;
}

// Returns the beginning of a text in quotes, with a question mark for every byte that is not printable ASCII.
inline std::string quoted(const std::string& text) {
    std::string shown = text.substr(0, 40);
    for (char& c : shown)
        if (c < ' ' || c > '~') c = '?';
    return "'" + shown + (text.size() > 40 ? "...'" : "'");
}

inline void check_whole(const char* name, std::uint64_t value, std::uint64_t least) {
    if (value < least)
        throw Refusal(std::string(name) + " is " + std::to_string(value) + ", expected at least " +
                      std::to_string(least));
}

// Throws Refusal if the product of several sizes is above a bound.
inline void check_product(const char* what, double most, const char* remedy, std::initializer_list<double> sizes) {
    double product = 1;
    for (double size : sizes) product *= size;
    if (!(product <= most))
        throw Refusal(std::string(what) + " would be " + words_of(product) + ", expected at most " + words_of(most) +
                      ": " + remedy);
}

}  // namespace rtnmf
