// The plugin as DPF asks for it: parameters, ports, state, and the handing over of what separates.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "DistrhoPlugin.hpp"
#include "separation.hpp"

namespace rtnmf {

// Loading a dictionary, changing the sample rate, saving and restoring are for any thread but the sounding one, as all
// formats promise; `run` and `setParameterValue` may be called there, and neither wait, allocate nor throw.
class SeparatorPlugin : public DISTRHO_NAMESPACE::Plugin {
public:
    SeparatorPlugin();
    ~SeparatorPlugin() override;

    // For LV2, whose hosts read the latency of a port that is written only in `run` otherwise.
    uint32_t latency() const noexcept { return latency_; }
    // An empty sequence of events, for one port of this instance that is not connected.
    void* no_events(uint32_t port) noexcept { return no_events_[port]; }

protected:
    const char* getName() const override;
    const char* getLabel() const override;
    const char* getDescription() const override;
    const char* getMaker() const override;
    const char* getHomePage() const override;
    const char* getLicense() const override;
    uint32_t getVersion() const override;
    int64_t getUniqueId() const override;

    void initAudioPort(bool input, uint32_t index, DISTRHO_NAMESPACE::AudioPort& port) override;
    void initPortGroup(uint32_t group, DISTRHO_NAMESPACE::PortGroup& found) override;
    void initParameter(uint32_t index, DISTRHO_NAMESPACE::Parameter& parameter) override;
    void initState(uint32_t index, DISTRHO_NAMESPACE::State& state) override;

    float getParameterValue(uint32_t index) const override;
    void setParameterValue(uint32_t index, float value) override;
    DISTRHO_NAMESPACE::String getState(const char* key) const override;
    void setState(const char* key, const char* value) override;

    void activate() override;
    void run(const float** inputs, float** outputs, uint32_t n_samples) override;
    void sampleRateChanged(double sample_rate) override;

private:
    struct Prepared {
        std::optional<Separation> separation;  // none: the input passes through
        Prepared* older = nullptr;             // the next one in the stack of the retired
    };

    explicit SeparatorPlugin(std::vector<std::string> names);
    uint32_t n_strips() const noexcept { return static_cast<uint32_t>(names_.size()); }
    // Takes another dictionary if it can be used, and throws otherwise.
    void replace(std::string dictionary, const char* origin);
    // Takes another dictionary; where it cannot be used, that is said, and the input passes through.
    void load(std::string dictionary, const char* origin);
    std::unique_ptr<Prepared> prepare(const std::string& dictionary) const;
    void prepare_anew();  // after the dictionary or the sample rate is another
    void hand_over(std::unique_ptr<Prepared> prepared) noexcept;
    void take_over() noexcept;
    void start() noexcept;
    Settings settings() const noexcept { return {values_.data(), n_strips()}; }
    void free_retired() noexcept;

    const std::vector<std::string> names_;      // of the strips, one per source
    std::vector<std::atomic<float>> values_;    // of the parameters
    mutable std::mutex mutex_;                  // over the next two; never locked where it sounds
    std::string dictionary_;                    // the bytes of the file
    std::string origin_;                        // where they come from, for messages
    std::atomic<Prepared*> next_{nullptr};      // to take over with the next block
    std::atomic<Prepared*> retired_{nullptr};   // a stack of those that sound no longer, for another thread to free
    Prepared* current_ = nullptr;               // belongs to the sounding thread
    std::atomic<uint32_t> latency_{0};
    alignas(8) uint32_t no_events_[2][4] = {{8, 0, 0, 0}, {8, 0, 0, 0}};  // of LV2: the size of a body without any

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(SeparatorPlugin)
};

}  // namespace rtnmf
