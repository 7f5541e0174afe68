// A dictionary at work at one sample rate: prepared where there is time, then only processed.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine.hpp"
#include "mix.hpp"
#include "strips.hpp"

namespace rtnmf {

// What the parameters say, for one block.
struct Settings {
    const std::atomic<float>* values;  // of the parameters, as strips.hpp has them
    uint32_t n_strips;
};

class Separation {
public:
    // Throws Refusal where the dictionary cannot be used at that rate.
    Separation(const Dictionary& dictionary, uint32_t sample_rate);

    uint32_t latency() const noexcept { return separator_.latency(); }
    // Begins with silence, and with the gains that are set.
    void start(const Settings&) noexcept;
    // Inputs and outputs may be the same memory; an input that is null is silent, an output that is null is left out.
    void process(const float* const* inputs, float* const* outputs, uint32_t n_samples, const Settings&) noexcept;

private:
    void turn_to(const Settings&) noexcept;

    static constexpr uint32_t kPiece = 512;  // samples at a time: buffers do not depend on the host's block

    Separator separator_;
    Mixer mixer_;
    Mix mix_;
    int n_iter_;  // of the dictionary
    std::vector<float> samples_, silence_;
    std::vector<float*> stems_;
};

}  // namespace rtnmf
