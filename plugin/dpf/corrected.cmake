# Copies DPF into the build folder and corrects there what DPF 1.6 and 1.7 do not do; sets DISTRHO_DIR.

set(DISTRHO_DIR ${CMAKE_BINARY_DIR}/dpf/distrho)
file(COPY ${DPF_DIR}/distrho DESTINATION ${CMAKE_BINARY_DIR}/dpf)

# Replaces a piece of a file of DPF; says so where another version has neither that piece nor a better one, if given.
function(correct FILE OLD NEW)
  file(READ ${DISTRHO_DIR}/src/${FILE} text)
  string(FIND "${text}" "${OLD}" place)
  if(place EQUAL -1)
    string(FIND "${text}" "${ARGV3}" better)
    if(ARGC LESS 4 OR better EQUAL -1)
      message(WARNING "${FILE} is not that of DPF 1.6 or 1.7 and stays as it is, where that needed: ${NEW}")
    endif()
    return()
  endif()
  string(REPLACE "${OLD}" "${NEW}" text "${text}")
  file(WRITE ${DISTRHO_DIR}/src/${FILE} "${text}")
endfunction()

# DPF 1.6 hands over only the first output bus of a VST3 plugin; what is not connected gets no buffer.
correct(DistrhoPluginVST3.cpp
  "if (data->outputs != nullptr)
            {
                for (int32_t j = 0; j < data->outputs->num_channels; ++j)
                {
                    while (!fEnabledOutputs[i] && i < DISTRHO_PLUGIN_NUM_OUTPUTS)
                        outputs[i++] = fDummyAudioBuffer;

                    DISTRHO_SAFE_ASSERT_INT_BREAK(i < DISTRHO_PLUGIN_NUM_OUTPUTS, i);
                    outputs[i++] = data->outputs->channel_buffers_32[j];
                }
            }"
  "const int32_t buses = data->outputs != nullptr ? data->num_output_buses : 0;
            for (int32_t bus = -1, channel = 0; i < DISTRHO_PLUGIN_NUM_OUTPUTS; ++i, ++channel)
            {
                const int32_t own = static_cast<int32_t>(fPlugin.getAudioPort(false, i).busId);
                if (own != bus) { bus = own; channel = 0; }
                const bool there = fEnabledOutputs[i] && bus < buses && channel < data->outputs[bus].num_channels;
                outputs[i] = there ? data->outputs[bus].channel_buffers_32[channel] : nullptr;
            }"
  "outputs[i++] = data->outputs[b].channel_buffers_32[j];")
# A state may bring another latency.
correct(DistrhoPluginVST3.cpp
  "restart_component(fComponentHandler, V3_RESTART_PARAM_VALUES_CHANGED);

       #if DISTRHO_PLUGIN_HAS_UI"
  "restart_component(fComponentHandler, V3_RESTART_PARAM_VALUES_CHANGED | V3_RESTART_LATENCY_CHANGED);

       #if DISTRHO_PLUGIN_HAS_UI")
# The parameter by which it tells the host shows a hundred times as much.
correct(DistrhoPluginVST3.cpp
  "#define DPF_VST3_MAX_LATENCY     DPF_VST3_MAX_SAMPLE_RATE * 10"
  "#define DPF_VST3_MAX_LATENCY (DPF_VST3_MAX_SAMPLE_RATE * 10)")
# Where a host takes a state in pieces, each begins behind the one before.
correct(DistrhoPluginVST3.cpp "const_cast<char*>(buffer), size - wrtntotal" "const_cast<char*>(buffer) + wrtntotal, size - wrtntotal")
correct(DistrhoPluginCLAP.cpp "write(stream, buffer, size - wrtntotal)" "write(stream, buffer + wrtntotal, size - wrtntotal)")
# The latency of another sample rate is known when the plugin is activated, and may not be told later.
correct(DistrhoPluginCLAP.cpp
  "fPlugin.setBufferSize(maxFramesCount, true);
        fPlugin.activate();"
  "fPlugin.setBufferSize(maxFramesCount, true);
        checkForLatencyChanges(false, true);
        fPlugin.activate();")
correct(DistrhoPluginCLAP.cpp
  "fHostExtensions.latency->changed(fHost);"
  "if (fHostExtensions.latency != nullptr) fHostExtensions.latency->changed(fHost);")
# The state `file` is for the host to set, and never saved: the dictionary itself is.
correct(DistrhoPluginLV2.cpp "#if ! DISTRHO_PLUGIN_HAS_UI && ! DISTRHO_PLUGIN_WANT_DIRECT_ACCESS" "#if 1")
# Where two hosts in one process have the plugin, the first to leave takes nothing from the other.
correct(DistrhoPluginVST3.cpp "DISTRHO_NAMESPACE::sPlugin = nullptr;" "")
correct(DistrhoPluginCLAP.cpp "(void)
{
    sPlugin = nullptr;" "(void)
{")
# The streams of the standard library would be half of the LV2 plugin.
correct(DistrhoPluginLV2export.cpp "#include <fstream>
#include <iostream>" "#include \"written.hpp\"")
correct(DistrhoPluginLV2export.cpp "std::fstream" "rtnmf::Written")
correct(DistrhoPluginLV2export.cpp "std::cout" "rtnmf::Unsaid()")
correct(DistrhoPluginLV2export.cpp "std::endl" "\"\\n\"")
correct(DistrhoPluginLV2export.cpp "std::ios::out" "\"w\"")
# A program is known to the JACK server by its own name.
correct(DistrhoPluginJACK.cpp "client_open(DISTRHO_PLUGIN_NAME," "client_open(rtnmf::payload().name.c_str(),")
# Names in any language, cut between characters.
function(correct_copy FILE TO FROM NAME)
  set(head "void ${NAME}(${TO}* const dst, const ${FROM}* const src, const size_t length)
{
")
  correct(${FILE} "${head}" "${head}    return rtnmf::copy_text(dst, src, length);
")
endfunction()
correct_copy(DistrhoPluginInternal.hpp char char strncpy)
correct_copy(DistrhoPluginVST.hpp char int16_t strncpy_utf8)
correct_copy(DistrhoPluginVST.hpp int16_t char strncpy_utf16)
# A host may have a decimal comma; a state never has, and who types may use either.
foreach(file DistrhoPluginCLAP.cpp DistrhoPluginVST3.cpp)
  correct(${file} "std::atof(" "rtnmf::decimal(")
endforeach()
# The latency may change while the plugin is active, but hosts hear of it when it is not.
correct(DistrhoPluginCLAP.cpp
  "void reportLatencyChangeIfNeeded()
    {
        if (fLatencyChanged)"
  "void reportLatencyChangeIfNeeded()
    {
        if (fLatencyChanged && !fPlugin.isActive())")
correct(DistrhoPluginCLAP.cpp
  "checkForLatencyChanges(false, true);
        fPlugin.activate();"
  "checkForLatencyChanges(false, true);
        reportLatencyChangeIfNeeded();
        fPlugin.activate();")
# States are loaded in another thread than the one that sounds.
correct(DistrhoPluginInternal.hpp "uint32_t latency;" "std::atomic<uint32_t> latency;")
correct(DistrhoPluginCLAP.cpp
  "bool fLatencyChanged;
    uint32_t fLastKnownLatency;"
  "std::atomic<bool> fLatencyChanged;
    std::atomic<uint32_t> fLastKnownLatency;")
correct(DistrhoPluginCLAP.cpp "fCachedParameters.values[j] = fvalue;" "") # which only a window would read
correct(DistrhoPluginVST3.cpp "float* fCachedParameterValues;" "std::atomic<float>* fCachedParameterValues;")
correct(DistrhoPluginVST3.cpp "fCachedParameterValues = new float[" "fCachedParameterValues = new std::atomic<float>[")
correct(DistrhoPluginVST3.cpp
  "d_isEqual(curValue, fCachedParameterValues[kVst3InternalParameterBaseCount + i])"
  "d_isEqual(curValue, fCachedParameterValues[kVst3InternalParameterBaseCount + i].load())")
