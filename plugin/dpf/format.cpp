// The entry of each format, which DPF has, with what it leaves to be done for LV2: a URI that the file decides when it
// is loaded, a latency port that is right before the first block, and hosts that connect no events, as PipeWire 0.3.

#if defined(DISTRHO_PLUGIN_TARGET_LV2)
# define lv2_descriptor dpf_lv2_descriptor
#endif

#include "DistrhoPluginMain.cpp"

// Whose code is in the binary, for whoever looks into it.
extern "C" {
#if defined(__GNUC__)
__attribute__((used))
#endif
#include "notices.hpp"
}

#if defined(DISTRHO_PLUGIN_TARGET_LV2)
# undef lv2_descriptor
# include "plugin.hpp"

namespace {

const LV2_Descriptor& dpf() { return *dpf_lv2_descriptor(0); }

rtnmf::SeparatorPlugin* plugin_of(LV2_Handle instance) {
    return static_cast<rtnmf::SeparatorPlugin*>(static_cast<DISTRHO_NAMESPACE::Plugin*>(
        static_cast<DISTRHO_NAMESPACE::PluginLv2*>(instance)->lv2_get_instance_pointer()));
}

constexpr uint32_t kEvents = DISTRHO_PLUGIN_NUM_INPUTS + DISTRHO_PLUGIN_NUM_OUTPUTS;  // in and out
constexpr uint32_t kLatency = kEvents + 2;

void connect_port(LV2_Handle instance, uint32_t port, void* data) {
    const bool is_without_events = data == nullptr && (port == kEvents || port == kEvents + 1);
    dpf().connect_port(instance, port, is_without_events ? plugin_of(instance)->no_events(port - kEvents) : data);
    if (port == kLatency && data != nullptr)  // later, the memory may be gone until the host runs the plugin
        *static_cast<float*>(data) = static_cast<float>(plugin_of(instance)->latency());
}

LV2_Handle instantiate(const LV2_Descriptor* descriptor, double sample_rate, const char* folder,
                       const LV2_Feature* const* features) {
    const LV2_Handle instance = dpf().instantiate(descriptor, sample_rate, folder, features);
    for (uint32_t port = kEvents; instance != nullptr && port < kLatency; ++port) connect_port(instance, port, nullptr);
    return instance;
}

}  // namespace

extern "C" DISTRHO_PLUGIN_EXPORT const LV2_Descriptor* lv2_descriptor(uint32_t index) {
    static const LV2_Descriptor descriptor = [] {
        LV2_Descriptor own = dpf();
        own.URI = rtnmf::payload().lv2_uri.c_str();
        own.instantiate = instantiate;
        own.connect_port = connect_port;
        return own;
    }();
    return index == 0 ? &descriptor : nullptr;
}
#endif
