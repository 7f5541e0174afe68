#include "separation.hpp"

#include <algorithm>
#include <cmath>

namespace rtnmf {
namespace {

constexpr uint32_t kChannels = 2;

float linear(float gain_db) { return gain_db <= kLowestDb ? 0.0f : std::pow(10.0f, gain_db / 20.0f); }

}  // namespace

Separation::Separation(const Dictionary& dictionary, uint32_t sample_rate)
    : separator_(dictionary, sample_rate, kChannels),
      mixer_(separator_.n_sources()),
      mix_(mixer_, separator_.latency(), kChannels, separator_.hop_length()),
      n_iter_(static_cast<int>(dictionary.model.n_iter)),
      samples_(separator_.n_sources() * kChannels * kPiece),
      silence_(kPiece),
      stems_(separator_.n_sources() * kChannels) {
    for (size_t i = 0; i < stems_.size(); ++i) stems_[i] = &samples_[i * kPiece];
}

void Separation::start(const Settings& settings) noexcept {
    separator_.reset();
    turn_to(settings);
    mix_.reset();
}

void Separation::turn_to(const Settings& settings) noexcept {
    const auto value = [&settings](uint32_t index) { return settings.values[index].load(std::memory_order_relaxed); };
    const auto whole = [&](Whole which) { return value(parameter(settings.n_strips, which)); };
    const uint32_t n_strips = std::min<uint32_t>(settings.n_strips, separator_.n_sources());
    for (uint32_t source = 0; source < n_strips; ++source) {
        mixer_.set_gain(source, linear(value(parameter(source, kGain))));
        mixer_.set_solo(source, value(parameter(source, kSolo)) > 0.5f);
        mixer_.set_mute(source, value(parameter(source, kMute)) > 0.5f);
    }
    mixer_.set_wet(whole(kWet) / 100.0f);
    mixer_.set_bypass(whole(kBypass) > 0.5f);
    mix_.turn_to(mixer_);
    const int n_iter = static_cast<int>(whole(kUpdates));
    separator_.set_n_iter(n_iter == 0 ? n_iter_ : n_iter);
    separator_.set_mask_power(whole(kMaskPower));
}

void Separation::process(const float* const* inputs, float* const* outputs, uint32_t n_samples,
                         const Settings& settings) noexcept {
    turn_to(settings);
    for (uint32_t begin = 0; begin < n_samples; begin += kPiece) {
        const uint32_t n = std::min(kPiece, n_samples - begin);
        const float* in[kChannels];
        float* mix[kChannels];
        for (uint32_t channel = 0; channel < kChannels; ++channel) {
            in[channel] = inputs[channel] != nullptr ? inputs[channel] + begin : silence_.data();
            mix[channel] = outputs[channel] != nullptr ? outputs[channel] + begin : nullptr;
        }
        separator_.process(in, stems_.data(), n);
        mix_.process(in, stems_.data(), mix, n);  // before stems go out, which may lie where the input does
        for (uint32_t i = 0; i < kStems * kChannels; ++i) {
            float* stem = outputs[kChannels + i];
            if (stem == nullptr) continue;
            if (i < stems_.size())
                std::copy_n(stems_[i], n, stem + begin);
            else
                std::fill_n(stem + begin, n, 0.0f);
        }
    }
}

}  // namespace rtnmf
