// Which parameters there are, in which order: three per source, then those of the whole.
#pragma once

#include <cstdint>

namespace rtnmf {

constexpr uint32_t kStems = 8;          // sources with an output bus of their own
constexpr uint32_t kGenericStrips = 8;  // of a plugin without a dictionary

constexpr float kLowestDb = -60.0f;     // and off
constexpr float kHighestDb = 12.0f;
constexpr float kMostUpdates = 64.0f;

enum Strip : uint32_t { kGain, kSolo, kMute, kStripSize };
enum Whole : uint32_t { kWet, kUpdates, kMaskPower, kBypass, kWholeSize };

constexpr uint32_t parameter(uint32_t source, Strip which) { return source * kStripSize + which; }
constexpr uint32_t parameter(uint32_t n_sources, Whole which) { return n_sources * kStripSize + which; }

struct Range {
    float least, most, usual;
};

constexpr Range range_of(uint32_t index, uint32_t n_sources) {
    if (index < n_sources * kStripSize)
        return index % kStripSize == kGain ? Range{kLowestDb, kHighestDb, 0.0f} : Range{0.0f, 1.0f, 0.0f};
    switch (index - n_sources * kStripSize) {
    case kWet: return {0.0f, 100.0f, 100.0f};
    case kUpdates: return {0.0f, kMostUpdates, 0.0f};
    case kMaskPower: return {0.25f, 4.0f, 1.0f};
    default: return {0.0f, 1.0f, 0.0f};
    }
}

}  // namespace rtnmf
