// What DPF must know of the plugin when it is compiled; what depends on the dictionary is found when it is loaded.
#ifndef DISTRHO_PLUGIN_INFO_H_INCLUDED
#define DISTRHO_PLUGIN_INFO_H_INCLUDED

#include <atomic>  // for what corrected.cmake makes of DPF

#include "payload.hpp"
#include "text.hpp"

#define DISTRHO_PLUGIN_NAME "rtnmf"
#define DISTRHO_PLUGIN_URI "urn:rtnmf:plugin"
#define DISTRHO_PLUGIN_CLAP_ID rtnmf::payload().clap_id.c_str()
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "restoration", "utility", "stereo"
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Restoration|Stereo"
#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:SpectralPlugin"

#define DISTRHO_PLUGIN_HAS_UI 0
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_NUM_INPUTS 2
#define DISTRHO_PLUGIN_NUM_OUTPUTS 18  // the mix, and the stems of eight sources
#define DISTRHO_PLUGIN_WANT_LATENCY 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1
#define DISTRHO_PLUGIN_WANT_DIRECT_ACCESS 1  // for the latency port of LV2, see format.cpp

#endif
