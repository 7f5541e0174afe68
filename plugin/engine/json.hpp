// JSON as Python's json reads it, of bounded depth: what the texts in a dictionary file are written in.
#pragma once

#include <charconv>
#include <cstddef>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "refusal.hpp"
#include "unicode.hpp"

namespace rtnmf::json {

constexpr int DEEPEST = 127;

struct Value;
struct Entry;

struct Number {
    double value;   // infinite where it is too large
    bool is_whole;  // written without a fraction or an exponent
};

using List = std::vector<Value>;
using Object = std::vector<Entry>;  // in their order; of entries of the same name the last value counts

struct Value {
    std::variant<std::monostate, bool, Number, std::string, List, Object> held;  // nothing is null

    template <class T>
    const T* as() const {
        return std::get_if<T>(&held);
    }
};

struct Entry {
    std::string name;
    Value value;
};

inline const Value* find(const Object& object, const char* name) {
    for (const Entry& entry : object)
        if (entry.name == name) return &entry.value;
    return nullptr;
}

// What of JSON a text may hold: other readers refuse numbers that are none.
enum class Numbers { FINITE, ANY };

// Reads one value, and nothing behind it.
class Reader {
  public:
    Reader(const char* first, std::size_t n, Numbers allowed) : at(first), end(first + n), numbers(allowed) {}

    Value read() {
        Value value = any(0);
        skip_blanks();
        if (at != end) fail("there is more behind the end");
        return value;
    }

  private:
    const char *at, *end;
    Numbers numbers;

    [[noreturn]] static void fail(const char* why) { throw Refusal(std::string("damaged text: ") + why); }

    void skip_blanks() {
        while (at != end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    }

    bool take(char c) {
        if (at == end || *at != c) return false;
        at++;
        return true;
    }

    bool take_word(const char* word) {
        const std::size_t n = std::char_traits<char>::length(word);
        if (static_cast<std::size_t>(end - at) < n || std::char_traits<char>::compare(at, word, n) != 0) return false;
        at += n;
        return true;
    }

    Value any(int depth) {
        skip_blanks();
        if (depth > DEEPEST) fail("it is nested too deeply");
        if (take('{')) return {object(depth + 1)};
        if (take('[')) return {list(depth + 1)};
        if (take('"')) return {string()};
        if (take_word("null")) return {};
        if (take_word("true")) return {true};
        if (take_word("false")) return {false};
        return {number()};
    }

    List list(int depth) {
        List items;
        skip_blanks();
        if (take(']')) return items;
        do items.push_back(any(depth));
        while (goes_on(']'));
        return items;
    }

    Object object(int depth) {
        Object entries;
        std::unordered_map<std::string, std::size_t> known;
        skip_blanks();
        if (take('}')) return entries;
        do {
            skip_blanks();
            if (!take('"')) fail("a name is missing");
            std::string name = string();
            skip_blanks();
            if (!take(':')) fail("a colon is missing");
            Value value = any(depth);
            const auto found = known.emplace(name, entries.size());
            if (found.second)
                entries.push_back({std::move(name), std::move(value)});
            else
                entries[found.first->second].value = std::move(value);
        } while (goes_on('}'));
        return entries;
    }

    bool goes_on(char close) {
        skip_blanks();
        if (take(close)) return false;
        if (!take(',')) fail("a comma is missing");
        return true;
    }

    std::string string() {
        std::string text;
        for (;;) {
            if (at == end) fail("a text does not end");
            const char c = *at++;
            if (c == '"') return text;
            if (static_cast<unsigned char>(c) < 0x20) fail("a text holds a control character");
            if (c == '\\')
                escaped(text);
            else
                text += c;
        }
    }

    void escaped(std::string& text) {
        static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        const char c = at == end ? '\0' : *at++;
        if (c == 'u') {
            append_utf8(text, escaped_character());
            return;
        }
        for (std::size_t i = 0; i < 8; i++)
            if (c == names[i]) {
                text += meanings[i];
                return;
            }
        fail("unknown escape");
    }

    // Half a surrogate pair is refused: no name or text of a dictionary may hold one.
    char32_t escaped_character() {
        const char32_t first = hexadecimal();
        if (first < 0xd800 || first > 0xdfff) return first;
        if (first < 0xdc00 && take_word("\\u")) {
            const char32_t second = hexadecimal();
            if (second >= 0xdc00 && second <= 0xdfff) return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        }
        fail("half a character");
    }

    char32_t hexadecimal() {
        char32_t value = 0;
        for (int i = 0; i < 4; i++) {
            const char c = at == end ? '\0' : *at++;
            if (c >= '0' && c <= '9')
                value = 16 * value + static_cast<char32_t>(c - '0');
            else if ((c | 32) >= 'a' && (c | 32) <= 'f')
                value = 16 * value + static_cast<char32_t>((c | 32) - 'a' + 10);
            else
                fail("unknown escape");
        }
        return value;
    }

    std::size_t skip_digits() {
        const char* first = at;
        while (at != end && *at >= '0' && *at <= '9') at++;
        return static_cast<std::size_t>(at - first);
    }

    Number number() {
        const char* first = at;
        if (numbers == Numbers::ANY && (take_word("NaN") || take_word("Infinity") || take_word("-Infinity")))
            return {std::numeric_limits<double>::quiet_NaN(), false};  // infinity is as far out of every range
        take('-');
        if (!take('0') && !skip_digits()) fail("a value is missing");
        bool is_whole = true;
        if (take('.')) {
            is_whole = false;
            if (!skip_digits()) fail("digits are missing");
        }
        if (take('e') || take('E')) {
            is_whole = false;
            if (!take('+')) take('-');
            if (!skip_digits()) fail("digits are missing");
        }
        return {value_of(first, at), is_whole};
    }

    // The locale of a host must not change what a number means.
    static double value_of(const char* first, const char* last) {
        double value = 0;
#if defined(__cpp_lib_to_chars)
        const auto result = std::from_chars(first, last, value);
        if (result.ec == std::errc()) return value;
#else
        std::istringstream text(std::string(first, last));
        text.imbue(std::locale::classic());
        if (text >> value) return value;
#endif
        return is_tiny(first, last) ? 0 : std::numeric_limits<double>::infinity();
    }

    // Whether a number that is out of range is too small, not too large.
    static bool is_tiny(const char* first, const char* last) {
        const std::string text(first, last);
        const std::size_t exponent = text.find_first_of("eE");
        if (exponent != std::string::npos) return text[exponent + 1] == '-';
        return text.find_first_not_of("-0.") > text.find('.');
    }
};

// Reads a text, or throws Refusal.
inline Value read(const std::string& text) { return Reader(text.data(), text.size(), Numbers::ANY).read(); }

}  // namespace rtnmf::json
