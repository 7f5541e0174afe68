// What DPF writes its descriptions of an LV2 plugin with, see corrected.cmake.
#pragma once

#include <cstdio>

namespace rtnmf {

class Written {
public:
    Written(const char* path, const char* mode) : file(std::fopen(path, mode)) {}
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    ~Written() { close(); }
    Written& operator<<(const char* text) {
        if (file != nullptr) std::fputs(text, file);
        return *this;
    }
    void close() {
        if (file != nullptr) std::fclose(file);
        file = nullptr;
    }

private:
    std::FILE* file;
};

struct Unsaid {
    Unsaid& operator<<(const char*) { return *this; }
    void flush() {}
};

}  // namespace rtnmf
