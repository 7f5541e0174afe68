// The entry of each format, which DPF has, with what it leaves to be done for LV2: a URI that the file decides when it
// is loaded, and a latency port that is right before the first block.

#if defined(DISTRHO_PLUGIN_TARGET_LV2)
# define lv2_descriptor dpf_lv2_descriptor
#endif

#include "DistrhoPluginMain.cpp"

#if defined(DISTRHO_PLUGIN_TARGET_LV2)
# undef lv2_descriptor
# include "plugin.hpp"

namespace {

const LV2_Descriptor& dpf() { return *dpf_lv2_descriptor(0); }

rtnmf::SeparatorPlugin* plugin_of(LV2_Handle instance) {
    return static_cast<rtnmf::SeparatorPlugin*>(static_cast<DISTRHO_NAMESPACE::Plugin*>(
        static_cast<DISTRHO_NAMESPACE::PluginLv2*>(instance)->lv2_get_instance_pointer()));
}

void connect_port(LV2_Handle instance, uint32_t port, void* data) {
    constexpr uint32_t kLatency = DISTRHO_PLUGIN_NUM_INPUTS + DISTRHO_PLUGIN_NUM_OUTPUTS + 2;  // behind two of events
    dpf().connect_port(instance, port, data);
    if (port == kLatency) plugin_of(instance)->show_latency_at(static_cast<float*>(data));
}

void activate(LV2_Handle instance) {
    dpf().activate(instance);
    plugin_of(instance)->show_latency();
}

}  // namespace

extern "C" DISTRHO_PLUGIN_EXPORT const LV2_Descriptor* lv2_descriptor(uint32_t index) {
    static const LV2_Descriptor descriptor = [] {
        LV2_Descriptor own = dpf();
        own.URI = rtnmf::payload().lv2_uri.c_str();
        own.connect_port = connect_port;
        own.activate = activate;
        return own;
    }();
    return index == 0 ? &descriptor : nullptr;
}
#endif
