#include "plugin.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>

#include "base64.hpp"
#include "file.hpp"
#include "payload.hpp"
#include "text.hpp"

namespace rtnmf {
namespace {

using DISTRHO_NAMESPACE::String;

constexpr char kFile[] = "file";              // the path of a dictionary, which an LV2 host may set
constexpr char kDictionary[] = "dictionary";  // the dictionary itself, which sessions keep

Dictionary parsed(const std::string& bytes) {
    return read_dictionary(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

// Returns a name without what the descriptions of LV2 cannot hold. A name has at most 64 characters, so what is left of
// it has room for " right" behind it in the 255 bytes of CLAP, and in the 127 units of UTF-16 of VST3.
std::string describable(std::string name) {
    std::replace(name.begin(), name.end(), '"', '\'');
    std::replace(name.begin(), name.end(), '\\', '/');
    return cut(std::move(name), 236);
}

// Returns the names of the strips: those of the sources of the payload, or numbers.
std::vector<std::string> strip_names() {
    try {
        if (!payload().dictionary.empty()) {
            std::vector<std::string> names = parsed(payload().dictionary).sources();
            std::transform(names.begin(), names.end(), names.begin(), describable);
            return names;
        }
    } catch (const std::exception&) {  // what is wrong with it is said when it is loaded
    }
    std::vector<std::string> names;
    for (uint32_t i = 1; i <= kGenericStrips; ++i) names.push_back("Source " + std::to_string(i));
    return names;
}

std::string read_file(const char* path) {
    std::string bytes = read_end(path, kLargestFile + 1);
    if (bytes.empty()) throw Refusal("empty, or it cannot be read");
    if (bytes.size() > kLargestFile) throw Refusal("larger than 512 MiB, too much for a dictionary");
    return bytes;
}

void pass_through(const float* const* inputs, float* const* outputs, uint32_t n_samples) noexcept {
    constexpr uint32_t kPiece = 512;
    float held[DISTRHO_PLUGIN_NUM_INPUTS][kPiece];  // an output may lie where the input of another channel does
    for (uint32_t begin = 0; begin < n_samples; begin += kPiece) {
        const uint32_t n = std::min(kPiece, n_samples - begin);
        for (uint32_t i = 0; i < DISTRHO_PLUGIN_NUM_INPUTS; ++i) {
            if (inputs[i] != nullptr)
                std::copy_n(inputs[i] + begin, n, held[i]);
            else
                std::fill_n(held[i], n, 0.0f);
        }
        for (uint32_t i = 0; i < DISTRHO_PLUGIN_NUM_OUTPUTS; ++i) {
            if (outputs[i] == nullptr) continue;
            if (i < DISTRHO_PLUGIN_NUM_INPUTS)
                std::copy_n(held[i], n, outputs[i] + begin);
            else
                std::fill_n(outputs[i] + begin, n, 0.0f);
        }
    }
}

String numbered(const char* text, uint32_t number) { return String(text) + String(static_cast<int>(number)); }

void init_strip(DISTRHO_NAMESPACE::Parameter& found, const std::string& name, uint32_t source, uint32_t which) {
    static const char* const kNames[] = {" gain", " solo", " mute"};
    static const char* const kSymbols[] = {"gain_", "solo_", "mute_"};
    found.name = (name + kNames[which]).c_str();
    found.symbol = numbered(kSymbols[which], source + 1);
    found.groupId = source < kStems ? source : static_cast<uint32_t>(DISTRHO_NAMESPACE::kPortGroupNone);
    if (which == kGain) {
        found.unit = "dB";
        found.description = "-60 dB is off";
    } else {
        found.hints |= DISTRHO_NAMESPACE::kParameterIsBoolean | DISTRHO_NAMESPACE::kParameterIsInteger;
    }
}

void init_whole(DISTRHO_NAMESPACE::Parameter& found, uint32_t which) {
    if (which == kWet) {
        found.name = "Dry/wet";
        found.symbol = "wet";
        found.unit = "%";
    } else if (which == kUpdates) {
        found.name = "Updates";
        found.symbol = "updates";
        found.description = "Updates of the activations per frame; 0 takes as many as the dictionary was learned for";
        found.hints |= DISTRHO_NAMESPACE::kParameterIsInteger;
    } else if (which == kMaskPower) {
        found.name = "Mask power";
        found.symbol = "mask_power";
        found.description = "Exponent of the masks: above 1, less of the other sources, more artifacts";
    }
}

}  // namespace

SeparatorPlugin::SeparatorPlugin() : SeparatorPlugin(strip_names()) {}

SeparatorPlugin::SeparatorPlugin(std::vector<std::string> names)
    : Plugin(parameter(static_cast<uint32_t>(names.size()), kWholeSize), 0, 2),
      names_(std::move(names)),
      values_(parameter(n_strips(), kWholeSize)) {
    for (uint32_t i = 0; i < values_.size(); ++i) values_[i] = range_of(i, n_strips()).usual;
    if (!payload().dictionary.empty() && !isDummyInstance()) load(payload().dictionary, "the dictionary built in");
}

SeparatorPlugin::~SeparatorPlugin() {
    delete next_.exchange(nullptr);
    delete current_;
    free_retired();
}

const char* SeparatorPlugin::getName() const { return payload().name.c_str(); }
const char* SeparatorPlugin::getLabel() const { return "rtnmf"; }
const char* SeparatorPlugin::getDescription() const { return "Separates the sounds of a dictionary, live"; }
const char* SeparatorPlugin::getMaker() const { return "The rtnmf developers"; }
const char* SeparatorPlugin::getHomePage() const { return ""; }
const char* SeparatorPlugin::getLicense() const { return "MIT"; }
uint32_t SeparatorPlugin::getVersion() const { return d_version(0, 1, 0); }
int64_t SeparatorPlugin::getUniqueId() const {
    return static_cast<int32_t>(payload().identity ^ payload().identity >> 32 ^ d_cconst('r', 'n', 'm', 'f'));
}

void SeparatorPlugin::initAudioPort(bool input, uint32_t index, DISTRHO_NAMESPACE::AudioPort& port) {
    Plugin::initAudioPort(input, index, port);
    const char* side = index % 2 == 0 ? " left" : " right";
    if (index < 2) {
        port.name = String(input ? "Input" : "Mix") + side;
        port.symbol = String(input ? "in_" : "mix_") + numbered("", index + 1);
        port.groupId = DISTRHO_NAMESPACE::kPortGroupStereo;
    } else {
        DISTRHO_NAMESPACE::PortGroup group;
        port.groupId = index / 2 - 1;
        initPortGroup(port.groupId, group);
        port.name = group.name + side;
        port.symbol = group.symbol + (index % 2 == 0 ? "_1" : "_2");
    }
}

void SeparatorPlugin::initPortGroup(uint32_t group, DISTRHO_NAMESPACE::PortGroup& found) {
    if (group >= kStems) return Plugin::initPortGroup(group, found);
    found.name = group < n_strips() ? String(names_[group].c_str()) : numbered("Unused ", group + 1);
    found.symbol = numbered("stem_", group + 1);
}

void SeparatorPlugin::initParameter(uint32_t index, DISTRHO_NAMESPACE::Parameter& found) {
    found.hints = DISTRHO_NAMESPACE::kParameterIsAutomatable;
    const uint32_t source = index / kStripSize;
    if (source < n_strips())
        init_strip(found, names_[source], source, index % kStripSize);
    else
        init_whole(found, index - n_strips() * kStripSize);
    const Range range = range_of(index, n_strips());
    found.ranges = DISTRHO_NAMESPACE::ParameterRanges(range.usual, range.least, range.most);
    if (index == parameter(n_strips(), kBypass)) found.initDesignation(DISTRHO_NAMESPACE::kParameterDesignationBypass);
}

void SeparatorPlugin::initState(uint32_t index, DISTRHO_NAMESPACE::State& state) {
    state.defaultValue = "";
    if (index == 0) {
        state.key = kFile;
        state.label = "Dictionary";
        state.description = "A .safetensors file that rtnmf has learned";
        state.hints = DISTRHO_NAMESPACE::kStateIsFilenamePath | DISTRHO_NAMESPACE::kStateIsOnlyForUI;  // not saved in LV2
    } else {
        state.key = kDictionary;
        state.label = "Dictionary in the session";
        state.hints = DISTRHO_NAMESPACE::kStateIsOnlyForDSP;
    }
}

float SeparatorPlugin::getParameterValue(uint32_t index) const {
    return index < values_.size() ? values_[index].load(std::memory_order_relaxed) : 0.0f;
}

void SeparatorPlugin::setParameterValue(uint32_t index, float value) {
    if (index >= values_.size() || std::isnan(value)) return;
    const Range range = range_of(index, n_strips());
    values_[index].store(std::min(std::max(value, range.least), range.most), std::memory_order_relaxed);
}

String SeparatorPlugin::getState(const char* key) const {
    if (std::strcmp(key, kDictionary) != 0) return String();
    const std::lock_guard<std::mutex> lock(mutex_);
    return String(to_base64(dictionary_).c_str());
}

void SeparatorPlugin::setState(const char* key, const char* value) {
    if (value[0] == '\0') return;  // a session without a dictionary, or with one that was not kept as a file
    const bool is_file = std::strcmp(key, kFile) == 0;
    const char* const origin = is_file ? value : "the dictionary of the session";
    try {
        if (is_file)
            replace(read_file(value), origin);
        else
            load(from_base64(value), origin);
    } catch (const std::exception& error) {
        d_stderr("rtnmf: %s: %s: the dictionary stays the one that is loaded", origin, error.what());
    }
}

void SeparatorPlugin::replace(std::string dictionary, const char* origin) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (dictionary == dictionary_) return;
    std::unique_ptr<Prepared> prepared = prepare(dictionary);
    dictionary_ = std::move(dictionary);
    origin_ = origin;
    hand_over(std::move(prepared));
}

void SeparatorPlugin::load(std::string dictionary, const char* origin) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (dictionary == dictionary_) return;
    dictionary_ = std::move(dictionary);  // kept even if this version cannot read it: sessions must not lose it
    origin_ = origin;
    prepare_anew();
}

std::unique_ptr<SeparatorPlugin::Prepared> SeparatorPlugin::prepare(const std::string& dictionary) const {
    auto prepared = std::make_unique<Prepared>();
    const double sample_rate = std::min(std::max(std::round(getSampleRate()), 0.0), 1e9);
    prepared->separation.emplace(parsed(dictionary), static_cast<uint32_t>(sample_rate));
    return prepared;
}

void SeparatorPlugin::prepare_anew() {
    auto prepared = std::make_unique<Prepared>();
    try {
        if (!dictionary_.empty()) prepared = prepare(dictionary_);
    } catch (const std::exception& error) {
        d_stderr("rtnmf: %s: %s: the input passes through", origin_.c_str(), error.what());
    }
    hand_over(std::move(prepared));
}

void SeparatorPlugin::hand_over(std::unique_ptr<Prepared> prepared) noexcept {
    latency_ = prepared->separation ? prepared->separation->latency() : 0;
    setLatency(latency_);
    free_retired();
    delete next_.exchange(prepared.release());
    free_retired();
}

void SeparatorPlugin::take_over() noexcept {
    Prepared* const next = next_.exchange(nullptr);
    if (next == nullptr) return;
    if (current_ != nullptr) {
        current_->older = retired_.load();
        while (!retired_.compare_exchange_weak(current_->older, current_)) {
        }
    }
    current_ = next;
    start();
}

void SeparatorPlugin::start() noexcept {
    if (current_ != nullptr && current_->separation) current_->separation->start(settings());
}

void SeparatorPlugin::free_retired() noexcept {
    for (Prepared* old = retired_.exchange(nullptr); old != nullptr;) delete std::exchange(old, old->older);
}

void SeparatorPlugin::activate() {
    take_over();
    start();
}

void SeparatorPlugin::sampleRateChanged(double) {
    const std::lock_guard<std::mutex> lock(mutex_);
    prepare_anew();
}

void SeparatorPlugin::run(const float** inputs, float** outputs, uint32_t n_samples) {
    take_over();
    if (current_ != nullptr && current_->separation)
        current_->separation->process(inputs, outputs, n_samples, settings());
    else
        pass_through(inputs, outputs, n_samples);
}

}  // namespace rtnmf

START_NAMESPACE_DISTRHO
Plugin* createPlugin() { return new rtnmf::SeparatorPlugin; }
END_NAMESPACE_DISTRHO
