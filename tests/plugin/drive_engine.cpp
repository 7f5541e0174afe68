// Runs the engine outside of Python, under sanitizers, and counts what is allocated while it sounds.
//
//     drive_engine check FILE...                          prints why each is refused, or an empty line
//     drive_engine DICTIONARY INPUT OUTPUT RATE CHANNELS  separates and mixes planes of float32 samples; prints the
//     count
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "engine.hpp"
#include "mix.hpp"

// Of the sanitizers' run-time library; GCC comes without the header that declares it.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));

namespace {

std::size_t n_allocated = 0;

void count(const volatile void*, std::size_t) { n_allocated++; }
void ignore(const volatile void*) {}

std::vector<char> read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

rtnmf::Dictionary dictionary_of(const char* path) {
    const std::vector<char> bytes = read(path);
    return rtnmf::read_dictionary(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

void check(const char* path) {
    try {
        dictionary_of(path);
        std::puts("");
    } catch (const rtnmf::Refusal& refusal) {
        std::puts(refusal.what());
    }
}

int separate(const char* dictionary, const char* input, const char* output, std::uint32_t rate,
             std::uint32_t n_channels) {
    rtnmf::Separator separator(dictionary_of(dictionary), rate, n_channels);
    rtnmf::Mixer mixer(separator.n_sources());
    rtnmf::Mix mix(mixer, separator.latency(), n_channels, separator.hop_length());
    const std::vector<char> bytes = read(input);
    const std::size_t n_samples = bytes.size() / sizeof(float) / n_channels;
    std::vector<float> samples(n_samples * n_channels), stems(samples.size() * separator.n_sources()),
        mixed(samples.size());
    std::memcpy(samples.data(), bytes.data(), samples.size() * sizeof(float));
    std::vector<const float*> inputs(n_channels), parts(separator.n_sources() * n_channels);
    std::vector<float*> outputs(parts.size()), mixes(n_channels);
    std::mt19937 random(0);
    n_allocated = 0;
    for (std::size_t done = 0; done < n_samples;) {
        const std::size_t n = std::min<std::size_t>(random() % 700, n_samples - done);
        for (std::size_t c = 0; c < n_channels; c++) {
            inputs[c] = samples.data() + c * n_samples + done;
            mixes[c] = mixed.data() + c * n_samples + done;
        }
        for (std::size_t row = 0; row < outputs.size(); row++)
            parts[row] = outputs[row] = stems.data() + row * n_samples + done;
        separator.process(inputs.data(), outputs.data(), static_cast<std::uint32_t>(n));
        mixer.set_gain(0, static_cast<float>(random() % 100) / 100);
        mixer.set_mute(separator.n_sources() - 1, random() % 2);
        mix.turn_to(mixer);
        mix.process(inputs.data(), parts.data(), mixes.data(), static_cast<std::uint32_t>(n));
        done += n;
    }
    std::printf("%zu\n", n_allocated);
    std::ofstream(output, std::ios::binary)
        .write(reinterpret_cast<const char*>(stems.data()), static_cast<std::streamsize>(stems.size() * sizeof(float)));
    return 0;
}

}  // namespace

int main(int n_arguments, char** arguments) {
    __sanitizer_install_malloc_and_free_hooks(count, ignore);
    if (n_arguments > 1 && std::string(arguments[1]) == "check") {
        for (int i = 2; i < n_arguments; i++) check(arguments[i]);
        return 0;
    }
    if (n_arguments != 6) return 2;
    const auto number = [&](int i) { return static_cast<std::uint32_t>(std::strtoul(arguments[i], nullptr, 10)); };
    return separate(arguments[1], arguments[2], arguments[3], number(4), number(5));
}
