#include "payload.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "DistrhoPluginUtils.hpp"

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
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto size = file ? static_cast<uint64_t>(file.tellg()) : 0;
    if (size < kTrailer) return found;
    unsigned char trailer[kTrailer];
    file.seekg(static_cast<std::streamoff>(size - kTrailer));
    file.read(reinterpret_cast<char*>(trailer), kTrailer);
    if (!file || std::memcmp(trailer + 24, kMagic, 8) != 0) return found;
    const uint64_t dictionary = number(trailer), name = number(trailer + 8);
    if (dictionary > size || name > size || dictionary + name + kTrailer > size) return found;
    file.seekg(static_cast<std::streamoff>(size - kTrailer - name - dictionary));
    std::string bytes(dictionary, '\0'), text(name, '\0');
    file.read(&bytes[0], static_cast<std::streamsize>(dictionary));
    file.read(&text[0], static_cast<std::streamsize>(name));
    if (!file) return found;
    found.dictionary.swap(bytes);
    found.name.swap(text);
    found.identity = number(trailer + 16);
    char hexadecimal[17];
    std::snprintf(hexadecimal, sizeof hexadecimal, "%016" PRIx64, found.identity);
    found.clap_id += std::string(".") + hexadecimal;
    found.lv2_uri += std::string(":") + hexadecimal;
    return found;
}

Payload read_own() noexcept {
    try {
        return read(DISTRHO_NAMESPACE::getBinaryFilename());
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
