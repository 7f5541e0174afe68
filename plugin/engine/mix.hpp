// How loud each source is in what goes out, and what applies that: one ramp, and one aligned dry signal.
//
// A port of the weights of rtnmf/engine/mixer.py, of rtnmf/engine/mix.py and of rtnmf/kernels/mix.py.
#pragma once

#include "hop.hpp"

namespace rtnmf {

constexpr float HIGHEST_GAIN = 1000.0f;

// Gains, solo, mute, bypass and dry/wet of a separation. Setters hold values in their ranges; what is no number is not
// set.
//
// None of its functions but the constructor and the copy constructor allocates. Thread safety: none.
class Mixer {
  public:
    explicit Mixer(std::uint32_t n_sources) : strips(n_sources) {}

    std::uint32_t n_sources() const noexcept { return static_cast<std::uint32_t>(strips.size()); }

    // Linear, at most 1000 in magnitude.
    void set_gain(std::uint32_t source, float gain) noexcept {
        if (gain == gain) strips[source].gain = std::min(std::max(gain, -HIGHEST_GAIN), HIGHEST_GAIN);
    }
    void set_solo(std::uint32_t source, bool is_soloed) noexcept { strips[source].is_soloed = is_soloed; }
    void set_mute(std::uint32_t source, bool is_muted) noexcept { strips[source].is_muted = is_muted; }
    // Lets the input out unchanged, with the delay of the stems.
    void set_bypass(bool is_bypassed) noexcept { bypass = is_bypassed; }
    // The fraction of separated sound in the output, from 0 to 1; the rest is the input, with the delay of the stems.
    void set_wet(float fraction) noexcept {
        if (fraction == fraction) wet = std::min(std::max(fraction, 0.0f), 1.0f);
    }

    // Whether neither solo nor mute keeps a source out, whatever its gain.
    bool is_heard(std::uint32_t source) const noexcept {
        const bool is_any_soloed =
            std::any_of(strips.begin(), strips.end(), [](const Strip& s) { return s.is_soloed; });
        return !strips[source].is_muted && (strips[source].is_soloed || !is_any_soloed);
    }

    // The weight of each stem, and, for source n_sources(), of the aligned input.
    float weight(std::uint32_t source) const noexcept {
        const double used = bypass ? 0.0 : static_cast<double>(wet);
        if (source == strips.size()) return static_cast<float>(1 - used);
        return is_heard(source) ? static_cast<float>(used * static_cast<double>(strips[source].gain)) : 0.0f;
    }

  private:
    struct Strip {
        float gain = 1;
        bool is_soloed = false, is_muted = false;
    };

    std::vector<Strip> strips;
    bool bypass = false;
    float wet = 1;
};

// Applies a Mixer to the stems of a stream and to its input, which it delays by their latency.
//
// Every sample is the same to the bit in blocks of any length, and a weight of 1 changes no bit. Thread safety: none.
class Mix {
  public:
    // ramp_length: the samples in which weights get to new ones, in a straight line; Separator.hop_length() as a rule.
    Mix(const Mixer& mixer, std::uint32_t latency, std::uint32_t n_channels, std::uint32_t ramp_length)
        : past(std::size_t(n_channels) * latency),
          dry(std::size_t(n_channels) * PIECE),
          target(mixer.n_sources() + 1u),
          wanted(target.size()),
          slopes(target.size()),
          delay(latency),
          channels(n_channels),
          ramp(ramp_length) {
        turn_to(mixer);
        reset();
    }

    // Sets new weights, of as many sources; the next samples are the first on the way to them.
    void turn_to(const Mixer& mixer) noexcept {
        for (std::size_t s = 0; s < wanted.size(); s++) wanted[s] = mixer.weight(static_cast<std::uint32_t>(s));
    }

    // Whether the weights are no longer on their way.
    bool is_settled() const noexcept { return !left && wanted == target; }

    // Resets the state: the delay is silent, the weights are those set last.
    void reset() noexcept {
        std::fill(past.begin(), past.end(), 0.0f);
        target = wanted;
        left = 0;
        place = 0;
    }

    // Takes n_samples of input, inputs[n_channels], and the stems of the same block, stems[source * n_channels +
    // channel], and sets as many samples of outputs[n_channels], which may be the inputs, or null for a channel that is
    // not wanted.
    void process(const float* const* inputs, const float* const* stems, float* const* outputs,
                 std::uint32_t n_samples) noexcept {
        if (n_samples) turn();
        for (std::size_t done = 0; done < n_samples; done += PIECE) {
            const std::size_t n = std::min<std::size_t>(PIECE, n_samples - done);
            align(inputs, done, n);
            for (std::size_t c = 0; c < channels; c++)
                if (outputs[c]) add_up(stems, c, outputs[c] + done, done, n);
            left -= std::min(left, n);
        }
    }

  private:
    static constexpr std::size_t PIECE = 256;

    Floats past, dry, target, wanted, slopes;
    std::size_t delay, channels, ramp, left = 0, place = 0;

    void turn() noexcept {
        if (wanted == target) return;
        for (std::size_t s = 0; s < target.size(); s++) {
            const float now = target[s] - slopes[s] * static_cast<float>(left);
            slopes[s] = (wanted[s] - now) / static_cast<float>(ramp);
            target[s] = wanted[s];
        }
        left = ramp;
    }

    // Sets the dry signal of a piece, and keeps the input of that for later.
    void align(const float* const* inputs, std::size_t done, std::size_t n) noexcept {
        std::size_t next = place;
        for (std::size_t c = 0; c < channels; c++) {
            float* __restrict kept = past.data() + c * delay;
            next = place;
            for (std::size_t i = 0; i < n; i++) {
                const float x = inputs[c][done + i], size = x < 0 ? -x : x;
                dry[c * PIECE + i] = delay ? kept[next] : size < LOUDEST ? x : 0.0f;
                if (delay) kept[next] = size < LOUDEST ? x : 0.0f;
                next = next + 1 < delay ? next + 1 : 0;
            }
        }
        place = next;
    }

    void add_up(const float* const* stems, std::size_t c, float* output, std::size_t done,
                std::size_t n) const noexcept {
        std::fill(output, output + n, 0.0f);
        for (std::size_t s = 0; s + 1 < target.size(); s++) add(stems[s * channels + c] + done, s, output, n);
        add(dry.data() + c * PIECE, target.size() - 1, output, n);
    }

    void add(const float* __restrict signal, std::size_t s, float* __restrict output, std::size_t n) const noexcept {
        const float weight = target[s], slope = slopes[s];
        if (weight == 0 && (slope == 0 || left == 0)) return;
        const std::size_t n_moving = std::min(left, n);
        for (std::size_t i = 0; i < n_moving; i++)
            output[i] += (weight - slope * static_cast<float>(left - 1 - i)) * signal[i];
        for (std::size_t i = n_moving; i < n; i++) output[i] += weight * signal[i];
    }
};

}  // namespace rtnmf
