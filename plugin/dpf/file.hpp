// Files, without the streams of the standard library, which would be most of the plugin.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace rtnmf {

constexpr uint64_t kLargestFile = uint64_t{512} << 20;

// Returns the last bytes of a file, or all that it has; nothing where it cannot be read.
inline std::string read_end(const char* path, uint64_t most) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "rb"), std::fclose);
    if (!file || std::fseek(file.get(), 0, SEEK_END) != 0) return {};
    const long size = std::ftell(file.get());
    if (size < 0) return {};
    const uint64_t length = most < static_cast<uint64_t>(size) ? most : static_cast<uint64_t>(size);
    if (std::fseek(file.get(), size - static_cast<long>(length), SEEK_SET) != 0) return {};
    std::string bytes(length, '\0');
    bytes.resize(std::fread(&bytes[0], 1, bytes.size(), file.get()));
    return bytes;
}

}  // namespace rtnmf
