#include "payload.hpp"

#include <cinttypes>
#include <cstdio>

#include "DistrhoPluginUtils.hpp"
#include "file.hpp"

namespace rtnmf {
namespace {

constexpr char kMagic[] = "rtnmfplg";
constexpr uint64_t kTrailer = 32;

uint64_t number(const unsigned char* bytes) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
    return value;
}

Payload read(const char* path) {
    Payload found;
    const std::string end = read_end(path, kTrailer);
    if (end.size() < kTrailer || end.compare(24, 8, kMagic) != 0) return found;
    const auto* numbers = reinterpret_cast<const unsigned char*>(end.data());
    const uint64_t dictionary = number(numbers), name = number(numbers + 8);
    if (dictionary > kLargestFile || name > kLargestFile) return found;
    const std::string all = read_end(path, dictionary + name + kTrailer);
    if (all.size() != dictionary + name + kTrailer) return found;
    found.dictionary = all.substr(0, dictionary);
    found.name = all.substr(dictionary, name);
    found.identity = number(numbers + 16);
    char hexadecimal[17];
    std::snprintf(hexadecimal, sizeof hexadecimal, "%016" PRIx64, found.identity);
    found.clap_id += std::string(".") + hexadecimal;
    found.lv2_uri += std::string(":") + hexadecimal;
    return found;
}

Payload read_own() noexcept {
    try {
        const char* path = DISTRHO_NAMESPACE::getBinaryFilename();
        return path != nullptr ? read(path) : Payload{};
    } catch (...) {  // there is no memory for it: the generic plugin
        return {};
    }
}

}  // namespace

const Payload& payload() noexcept {
    static const Payload own = read_own();
    return own;
}

}  // namespace rtnmf
