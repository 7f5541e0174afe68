// A target of libFuzzer: whatever the bytes of a dictionary file are, they are refused, or make a stream that can run.
//
// scripts/fuzz_plugin builds and runs it.
#include <cstdlib>

#include "../engine/engine.hpp"

namespace {

constexpr double MOST_WORK_TRIED = 5e5;  // what takes longer is valid, too

// Whether a dictionary takes so little work that it can be tried thousands of times a second.
bool is_quick(const rtnmf::Dictionary& dictionary) {
    const double n_hops = 2.0 * dictionary.stft.latency / dictionary.stft.hop_length + 1;
    return n_hops * dictionary.stft.n_fft * static_cast<double>(dictionary.n_components() + 64) < MOST_WORK_TRIED;
}

void run(const rtnmf::Dictionary& dictionary, std::uint32_t sample_rate) {
    rtnmf::Separator separator(dictionary, sample_rate, 1);
    separator.set_n_iter(2);
    rtnmf::Floats samples(2 * separator.latency() + 1, 0.5f), room(samples.size() * separator.n_sources());
    std::vector<float*> stems;
    for (std::size_t s = 0; s < separator.n_sources(); s++) stems.push_back(room.data() + s * samples.size());
    const float* input = samples.data();
    separator.process(&input, stems.data(), static_cast<std::uint32_t>(samples.size()));
    for (float x : room)
        if (!(x > -1e6f && x < 1e6f)) std::abort();
}

// Returns the bytes of a file whose length of the header is missing, with it: few changes of a file leave it right.
std::vector<std::uint8_t> framed(const std::uint8_t* bytes, std::size_t n_bytes) {
    std::size_t n_header = n_bytes;
    while (n_header && bytes[n_header - 1] != '}') n_header--;
    std::vector<std::uint8_t> file(8);
    for (std::size_t i = 0; i < 8; i++) file[i] = static_cast<std::uint8_t>(n_header >> 8 * i);
    file.insert(file.end(), bytes, bytes + n_bytes);
    return file;
}

void check(const std::uint8_t* bytes, std::size_t n_bytes) {
    for (int change = -1; change <= 1; change++) try {
            const rtnmf::Dictionary dictionary = rtnmf::read_dictionary(bytes, n_bytes);
            const std::uint32_t old_rate = dictionary.sample_rate;
            const std::uint32_t sample_rate = change < 0 ? old_rate : change ? 48000 : old_rate / 2 + 1;
            if (is_quick(rtnmf::at_rate(dictionary, sample_rate))) run(dictionary, sample_rate);
        } catch (const rtnmf::Refusal& refusal) {
            for (const char* c = refusal.what(); *c; c++)
                if (*c < ' ' || *c > '~') std::abort();
        }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
    if (n_bytes && bytes[0] == '{') {
        const std::vector<std::uint8_t> file = framed(bytes, n_bytes);
        check(file.data(), file.size());
    } else {
        check(bytes, n_bytes);
    }
    return 0;
}
