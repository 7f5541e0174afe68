// The separator of the plugin: what rtnmf.Separator(dictionary, experts=()) does, for buffers of a plugin.
#pragma once

#include <atomic>
#include <cmath>
#include <string>

#include "denormals.hpp"
#include "dictionary.hpp"
#include "hop.hpp"
#include "planning.hpp"

namespace rtnmf {

constexpr float HIGHEST_MASK_POWER = 1e6f;

// Separates a stream into the sources of a dictionary.
//
// It gives what rtnmf.separate(x, dictionary, experts=()) gives: experts on voices are not asked. Every sample is the
// same to the bit in blocks of any length. Sample rates other than the dictionary's are met by re-binning, as at_rate
// does.
//
// Latency: latency() samples, exactly. Thread safety: the setters may be called by any thread, all else by one at a
// time.
class Separator {
  public:
    // Throws Refusal if the dictionary cannot be used at this rate, or would take too much memory or work.
    Separator(const Dictionary& dictionary, std::uint32_t sample_rate, std::uint32_t n_channels) try
        : Separator(prepared(dictionary, sample_rate, n_channels), n_channels) {
    } catch (const std::bad_alloc&) {
        throw Refusal("the stream does not fit into memory: use fewer components or a shorter window");
    }

    std::uint32_t latency() const noexcept { return static_cast<std::uint32_t>(plan.latency); }
    std::uint32_t hop_length() const noexcept { return static_cast<std::uint32_t>(plan.hop_length); }
    std::uint32_t n_sources() const noexcept { return static_cast<std::uint32_t>(plan.n_sources); }
    std::uint32_t n_channels() const noexcept { return static_cast<std::uint32_t>(stream.n_channels); }
    const std::vector<std::string>& sources() const noexcept { return names; }
    int n_iter() const noexcept { return n_updates; }
    float mask_power() const noexcept { return exponent; }

    // Updates per frame from the next hop on, held between 1 and 1000.
    void set_n_iter(int n) noexcept { n_updates = std::min(std::max(n, 1), MOST_UPDATES); }

    // The power of the masks from the next hop on, at most a million; what is not a positive number changes nothing.
    void set_mask_power(float p) noexcept {
        if (p > 0) exponent = std::min(p, HIGHEST_MASK_POWER);
    }

    // The kind of processor that the hop is compiled for: the best that is there, unless it is set for a comparison.
    void set_processor(Processor kind) noexcept { hop = hop_for(std::min(kind, processor())); }

    // Resets the stream state.
    void reset() noexcept { stream.reset(); }

    // Takes n_samples of each channel and sets as many of each stem, latency() samples late.
    //
    // inputs[n_channels] hold samples of full scale 1; those that are not finite, or below 1e-10, count as silence.
    // stems[source * n_channels + channel] may be inputs.
    void process(const float* const* inputs, float* const* stems, std::uint32_t n_samples) noexcept {
        const Arithmetic flushing(Denormals::FLUSHED);
        for (std::size_t done = 0; done < n_samples;) {
            const std::size_t n = std::min(plan.hop_length - stream.position, n_samples - done);
            pass_on(inputs, stems, done, n);
            done += n;
            if (stream.position == plan.hop_length) {
                hop.load()(plan, stream, n_updates, exponent);
                stream.position = 0;
            }
        }
    }

  private:
    Separator(const Dictionary& fitted, std::size_t channels)
        : names(fitted.sources()),
          plan(planned(fitted)),
          stream(plan, channels),
          hop(hop_for(processor())),
          n_updates(fitted.model.n_iter),
          exponent(1.0f) {}

    static Dictionary prepared(const Dictionary& dictionary, std::uint32_t sample_rate, std::uint32_t n_channels) {
        check_channels(n_channels);
        Dictionary fitted = grouped(at_rate(dictionary, sample_rate), dictionary.sources());
        check_affordable(fitted, n_channels, fitted.model.n_iter);
        return fitted;
    }

    void pass_on(const float* const* inputs, float* const* stems, std::size_t done, std::size_t n) noexcept {
        const std::size_t start = plan.n_fft - plan.hop_length + stream.position, channels = stream.n_channels;
        for (std::size_t c = 0; c < channels; c++)
            for (std::size_t i = 0; i < n; i++)
                stream.history[c * plan.n_fft + start + i] = usable(inputs[c][done + i]);
        for (std::size_t row = 0; row < plan.n_sources * channels; row++)
            std::memcpy(stems[row] + done, stream.overlap.data() + row * plan.latency + stream.position,
                        n * sizeof(float));
        stream.position += n;
    }

    std::vector<std::string> names;
    Plan plan;
    Stream stream;
    std::atomic<Hop> hop;
    std::atomic<int> n_updates;
    std::atomic<float> exponent;
};

}  // namespace rtnmf
