// What `rtnmf plugin` has put behind the code in the file of the plugin: a dictionary, and who the plugin is.
#pragma once

#include <cstdint>
#include <string>

namespace rtnmf {

// In the file, behind the code: the dictionary, the name (UTF-8), and 32 bytes, which are the sizes of these two, the
// identity (eight bytes each, little-endian) and `rtnmfplg`. A plugin without them is the generic one.
struct Payload {
    std::string dictionary;            // the bytes of a .safetensors file, or empty
    std::string name = "rtnmf";
    uint64_t identity = 0;
    std::string clap_id = "rtnmf";     // with the identity, as the LV2 URI has it
    std::string lv2_uri = "urn:rtnmf:plugin";
};

// Returns the payload of this binary, read when first asked for; never throws.
const Payload& payload() noexcept;

}  // namespace rtnmf
