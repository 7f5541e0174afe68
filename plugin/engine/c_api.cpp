// The engine for ctypes: what the tests and the benchmark of the plugin call. Every function returns without throwing.
#include <cstring>
#include <memory>

#include "engine.hpp"
#include "mix.hpp"

namespace {

thread_local std::string last_error;

struct Instance {
    rtnmf::Separator separator;
    rtnmf::Mixer mixer;
    rtnmf::Mix mix;

    Instance(const rtnmf::Dictionary& dictionary, std::uint32_t sample_rate, std::uint32_t n_channels)
        : separator(dictionary, sample_rate, n_channels),
          mixer(separator.n_sources()),
          mix(mixer, separator.latency(), n_channels, separator.hop_length()) {}
};

template <class Function>
auto refused(Function function) noexcept -> decltype(function()) {
    try {
        return function();
    } catch (const std::exception& error) {
        last_error = error.what();
        return {};
    }
}

}  // namespace

extern "C" {

// Why the last call of this thread that failed did.
const char* rtnmf_error() { return last_error.c_str(); }

// Returns whether the bytes are a dictionary.
bool rtnmf_check(const unsigned char* bytes, std::size_t n_bytes) {
    return refused([&] { return rtnmf::read_dictionary(bytes, n_bytes).n_components() > 0; });
}

// Returns an instance, or null. A sample rate of 0 is the dictionary's.
Instance* rtnmf_open(const unsigned char* bytes, std::size_t n_bytes, std::uint32_t sample_rate,
                     std::uint32_t n_channels) {
    return refused([&]() -> Instance* {
        const rtnmf::Dictionary dictionary = rtnmf::read_dictionary(bytes, n_bytes);
        return std::make_unique<Instance>(dictionary, sample_rate ? sample_rate : dictionary.sample_rate, n_channels)
            .release();
    });
}

void rtnmf_close(Instance* instance) { delete instance; }

std::uint32_t rtnmf_latency(const Instance* instance) { return instance->separator.latency(); }
std::uint32_t rtnmf_n_sources(const Instance* instance) { return instance->separator.n_sources(); }
const char* rtnmf_source(const Instance* instance, std::uint32_t s) { return instance->separator.sources()[s].c_str(); }

// 0 for code that any processor runs, 1 for AVX2, where this processor has it.
void rtnmf_set_processor(Instance* instance, int kind) {
    instance->separator.set_processor(static_cast<rtnmf::Processor>(kind));
}
int rtnmf_processor() { return static_cast<int>(rtnmf::processor()); }

void rtnmf_set_n_iter(Instance* instance, int n_iter) { instance->separator.set_n_iter(n_iter); }
void rtnmf_set_mask_power(Instance* instance, float power) { instance->separator.set_mask_power(power); }
void rtnmf_reset(Instance* instance) {
    instance->separator.reset();
    instance->mix.reset();
}

// Buffers are [channel][n_samples] and [source][channel][n_samples], one behind the other.
void rtnmf_process(Instance* instance, const float* inputs, float* stems, std::uint32_t n_samples) {
    const std::uint32_t n_channels = instance->separator.n_channels();
    const float* in[rtnmf::MOST_CHANNELS] = {};
    std::vector<float*> out(std::size_t(instance->separator.n_sources()) * n_channels);
    for (std::uint32_t c = 0; c < n_channels; c++) in[c] = inputs + std::size_t(c) * n_samples;
    for (std::size_t row = 0; row < out.size(); row++) out[row] = stems + row * n_samples;
    instance->separator.process(in, out.data(), n_samples);
}

void rtnmf_set_strip(Instance* instance, std::uint32_t source, float gain, bool is_soloed, bool is_muted) {
    instance->mixer.set_gain(source, gain);
    instance->mixer.set_solo(source, is_soloed);
    instance->mixer.set_mute(source, is_muted);
}

void rtnmf_set_master(Instance* instance, float wet, bool bypass) {
    instance->mixer.set_wet(wet);
    instance->mixer.set_bypass(bypass);
}

// Mixes the stems of the same block; outputs are [channel][n_samples]. Settings made since the last block are ramped
// to.
void rtnmf_mix(Instance* instance, const float* inputs, const float* stems, float* outputs, std::uint32_t n_samples) {
    const std::uint32_t n_channels = instance->separator.n_channels();
    const float* in[rtnmf::MOST_CHANNELS] = {};
    float* out[rtnmf::MOST_CHANNELS] = {};
    std::vector<const float*> parts(std::size_t(instance->separator.n_sources()) * n_channels);
    for (std::uint32_t c = 0; c < n_channels; c++) {
        in[c] = inputs + std::size_t(c) * n_samples;
        out[c] = outputs + std::size_t(c) * n_samples;
    }
    for (std::size_t row = 0; row < parts.size(); row++) parts[row] = stems + row * n_samples;
    instance->mix.turn_to(instance->mixer);
    instance->mix.process(in, parts.data(), out, n_samples);
}

// Whether a text may be the name of a source, and whether it may be a text of a dictionary; UTF-8.
bool rtnmf_is_name(const char* text) {
    return refused([&] {
        rtnmf::reading::check_source_name(text);
        return true;
    });
}
bool rtnmf_is_text(const char* text) {
    return refused([&] {
        rtnmf::reading::check_text("text", text);
        return true;
    });
}
}
