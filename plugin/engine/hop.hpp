// One hop of a stream: window, FFT, magnitudes, updates, masks, inverse FFTs, overlap-add.
//
// A port of rtnmf/kernels/hop.py. A frame is explained by the components, and once more by trained columns where there
// are some; the masks are those that both explanations agree on. Nothing here allocates, waits or throws once a Stream
// is made. The hop is compiled for two kinds of processors; `processor` tells the best that is there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "denormals.hpp"
#include "fft.hpp"
#include "updates.hpp"

// RTNMF_PORTABLE leaves out what only some processors run, which compiles in half the time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(RTNMF_PORTABLE)
#define RTNMF_SEVERAL_PROCESSORS 1
#else
#define RTNMF_SEVERAL_PROCESSORS 0
#endif

namespace rtnmf {

// Samples that are not below it count as silence: their spectrum could overflow.
constexpr float LOUDEST = 1e9f;
// -200 dB; what is below would only cost denormal arithmetic.
constexpr float QUIETEST = 1e-10f;

// What stays the same while a stream runs; see kernels.hop.Plan.
struct Plan {
    std::size_t n_fft, hop_length, latency, n_components, n_sources, n_explanations, n_terms;
    Floats analysis_window, synthesis_window;  // n_fft, latency
    Floats trend_basis;                        // [term][n_fft]
    Floats W, M;                               // [explanation][tile][component][TILE]; M is empty where it is W
    float memory[2], weights[2];               // of each explanation
    float relaxation, reach;
    Floats low_shares;                // of each source in what is inaudibly low
    std::vector<std::size_t> bounds;  // source s has the components bounds[s] to bounds[s + 1]

    std::size_t n_bins() const { return n_fft / 2 + 1; }
    std::size_t n_tiles() const { return (n_bins() + TILE - 1) / TILE; }
    std::size_t values_of_explanation() const { return n_tiles() * n_components * TILE; }
    const float* masks() const { return M.empty() ? W.data() : M.data(); }
};

// What a stream remembers (down to level), and room to work in.
struct Stream {
    std::size_t position = 0;       // samples of the current hop so far
    Floats history;                 // the samples of the current frame so far, [channel][n_fft]
    Floats overlap;                 // what is to go out, [source][channel][latency]
    Floats h;                       // the activations of the last frame as parts of 1, [explanation][component]
    float level = 0;                // the sum of the magnitudes of the last frame
    Floats frame, trends;           // n_fft, [channel][n_fft]
    Floats real, imag;              // the spectrum, [channel][n_bins]
    Floats v, g, r, shares;         // [tile][TILE], [component][WIDEST], TILE, [source][TILE]
    Floats separated, separated_i;  // the masked spectra, [source][channel][n_bins]
    Floats tail;                    // n_fft
    RealFft fft;
    std::size_t n_channels;

    Stream(const Plan& plan, std::size_t channels) : fft(plan.n_fft), n_channels(channels) {
        const std::size_t n_rows = plan.n_sources * channels, n_bins = plan.n_bins();
        for (Floats* samples : {&history, &trends}) samples->resize(channels * plan.n_fft);
        for (Floats* samples : {&frame, &tail}) samples->resize(plan.n_fft);
        overlap.resize(n_rows * plan.latency);
        h.resize(plan.n_explanations * plan.n_components);
        for (Floats* part : {&real, &imag}) part->resize(channels * n_bins);
        for (Floats* part : {&separated, &separated_i}) part->resize(n_rows * n_bins);
        v.resize(plan.n_tiles() * TILE);
        g.resize(WIDEST * plan.n_components);
        r.resize(TILE);
        shares.resize(plan.n_sources * TILE);
    }

    // Resets the stream state.
    void reset() noexcept {
        for (Floats* state : {&history, &overlap, &h}) std::fill(state->begin(), state->end(), 0.0f);
        position = 0;
        level = 0;
    }
};

// Moves a row on by n samples, and fills it up with zeros.
RTNMF_INLINE void advance(float* row, std::size_t length, std::size_t n) {
    std::memmove(row, row + n, (length - n) * sizeof(float));
    std::memset(row + length - n, 0, n * sizeof(float));
}

// Moves what a windowed frame holds of the basis into the trend.
template <int N_LANES>
RTNMF_INLINE void detrend(float* __restrict frame, const Plan& plan, float* __restrict trend) {
    const std::size_t n = plan.n_fft;
    std::fill(trend, trend + n, 0.0f);
    for (std::size_t k = 0; k < plan.n_terms; k++) {
        const float* __restrict basis = plan.trend_basis.data() + k * n;
        const float part = dot<N_LANES>(basis, frame, n);
        for (std::size_t i = 0; i < n; i++) trend[i] += part * basis[i];
    }
    for (std::size_t i = 0; i < n; i++) frame[i] -= trend[i];
}

// Transforms the last frame without its trend, and sets v to the sum of its channels' magnitudes, normalised.
template <int N_LANES>
RTNMF_INLINE void analyse(const Plan& plan, Stream& stream) {
    const std::size_t n = plan.n_fft, n_bins = plan.n_bins();
    std::fill(stream.v.begin(), stream.v.end(), 0.0f);
    for (std::size_t c = 0; c < stream.n_channels; c++) {
        float* __restrict frame = stream.frame.data();
        const float* __restrict history = stream.history.data() + c * n, * __restrict window =
                                                                             plan.analysis_window.data();
        for (std::size_t i = 0; i < n; i++) frame[i] = history[i] * window[i];
        detrend<N_LANES>(frame, plan, stream.trends.data() + c * n);
        float *real = stream.real.data() + c * n_bins, *imag = stream.imag.data() + c * n_bins;
        stream.fft.forward(frame, real, imag);
        add_magnitudes(real, imag, n_bins, stream.v.data());
    }
    stream.level = normalise<N_LANES>(stream.v.data(), stream.v.size());
}

// Finds the activations of the frame, in each explanation.
template <int N_LANES>
RTNMF_INLINE void explain(const Plan& plan, Stream& stream, int n_iter) {
    for (std::size_t e = 0; e < plan.n_explanations; e++)
        follow<N_LANES>(stream.v.data(), plan.W.data() + e * plan.values_of_explanation(), plan.n_tiles(),
                        stream.h.data() + e * plan.n_components, plan.n_components, stream.g.data(), stream.r.data(),
                        n_iter, plan.relaxation, plan.memory[e]);
}

// Multiplies the shares of a source by a power of its model.
template <int N_LANES>
RTNMF_INLINE void multiply(float* x, const float* y, float exponent) {
    using V = typename Vector<N_LANES>::type;
    for (std::size_t i = 0; i < TILE; i += N_LANES) {
        V model = at<N_LANES>(y + i);
        if (exponent != 1) raise(model, exponent);
        at<N_LANES>(x + i) *= model;
    }
}

// Raises the shares of each bin, as fractions of the largest, to a power.
template <int N_LANES>
RTNMF_INLINE void sharpen(float* shares, std::size_t n_sources, float exponent) {
    using V = typename Vector<N_LANES>::type;
    for (std::size_t i = 0; i < TILE; i += N_LANES) {
        V largest = {};
        for (std::size_t s = 0; s < n_sources; s++) {
            const V x = at<N_LANES>(shares + s * TILE + i);
            largest = largest > x ? largest : x;
        }
        for (std::size_t s = 0; s < n_sources; s++) {
            V& x = at<N_LANES>(shares + s * TILE + i);
            x /= largest;
            raise(x, exponent);
        }
    }
}

// Divides the shares of each bin by their sum.
template <int N_LANES>
RTNMF_INLINE void normalise_shares(float* shares, std::size_t n_sources) {
    using V = typename Vector<N_LANES>::type;
    for (std::size_t i = 0; i < TILE; i += N_LANES) {
        V total = {};
        for (std::size_t s = 0; s < n_sources; s++) total += at<N_LANES>(shares + s * TILE + i);
        for (std::size_t s = 0; s < n_sources; s++) at<N_LANES>(shares + s * TILE + i) /= total;
    }
}

// Sets the shares of the sources in the bins of a tile. An explanation without any activation, since no component has
// energy where the frame has it, shares equally. Where explanations contradict each other, denormal numbers decide.
template <int N_LANES>
RTNMF_INLINE void share(const Plan& plan, Stream& stream, std::size_t tile, float mask_power) {
    const Arithmetic keeping(Denormals::KEPT);
    const std::size_t n = plan.n_components;
    float* r = stream.r.data();
    for (std::size_t s = 0; s < plan.n_sources; s++) {
        const std::size_t begin = plan.bounds[s], n_own = plan.bounds[s + 1] - begin;
        float* shares = stream.shares.data() + s * TILE;
        std::fill(shares, shares + TILE, 1.0f);
        for (std::size_t e = 0; e < plan.n_explanations; e++) {
            const float* h = stream.h.data() + e * n;
            if (!(sum<N_LANES>(h, n) > 0)) continue;
            const float* w = plan.masks() + e * plan.values_of_explanation() + (tile * n + begin) * TILE;
            std::fill(r, r + TILE, plan.reach / static_cast<float>(plan.n_bins()) * sum<N_LANES>(h + begin, n_own));
            add_model<N_LANES>(w, h + begin, n_own, r);
            multiply<N_LANES>(shares, r, plan.weights[e]);
        }
        // or explanations that contradict each other leave no share of a bin
        for (std::size_t i = 0; i < TILE; i++) shares[i] += FAINTEST;
    }
    if (mask_power != 1) sharpen<N_LANES>(stream.shares.data(), plan.n_sources, mask_power);
    normalise_shares<N_LANES>(stream.shares.data(), plan.n_sources);
}

// Sets the spectra of the stems, tile by tile.
template <int N_LANES>
RTNMF_INLINE void mask(const Plan& plan, Stream& stream, float mask_power) {
    const std::size_t n_bins = plan.n_bins();
    for (std::size_t t = 0; t < plan.n_tiles(); t++) {
        share<N_LANES>(plan, stream, t, mask_power);
        const std::size_t begin = t * TILE, n = std::min(TILE, n_bins - begin);
        for (std::size_t s = 0; s < plan.n_sources; s++)
            for (std::size_t c = 0; c < stream.n_channels; c++) {
                const float* __restrict shares = stream.shares.data() + s * TILE;
                const std::size_t from = c * n_bins + begin, to = (s * stream.n_channels + c) * n_bins + begin;
                const float* __restrict x = stream.real.data() + from, * __restrict y = stream.imag.data() + from;
                float* __restrict a = stream.separated.data() + to, * __restrict b = stream.separated_i.data() + to;
                for (std::size_t i = 0; i < n; i++) a[i] = x[i] * shares[i];
                for (std::size_t i = 0; i < n; i++) b[i] = y[i] * shares[i];
            }
    }
}

// Adds a stem of a channel to what is to go out. What is inaudibly low has constant shares: any that changed from frame
// to frame would be heard.
RTNMF_INLINE void add_tail(const Plan& plan, const float* __restrict tail, const float* __restrict trend,
                           float low_share, float* __restrict overlap) {
    const float* __restrict window = plan.synthesis_window.data();
    for (std::size_t i = 0; i < plan.latency; i++) overlap[i] += (tail[i] + low_share * trend[i]) * window[i];
}

// Transforms the stems back, and adds the last `latency` samples of each to what is to go out.
RTNMF_INLINE void synthesise(const Plan& plan, Stream& stream, bool is_silent) {
    const std::size_t n = plan.n_fft, n_bins = plan.n_bins(), skipped = n - plan.latency;
    for (std::size_t s = 0; s < plan.n_sources; s++)
        for (std::size_t c = 0; c < stream.n_channels; c++) {
            const std::size_t row = s * stream.n_channels + c;
            if (is_silent)
                std::fill(stream.tail.begin(), stream.tail.end(), 0.0f);
            else
                stream.fft.inverse(stream.separated.data() + row * n_bins, stream.separated_i.data() + row * n_bins,
                                   stream.tail.data());
            add_tail(plan, stream.tail.data() + skipped, stream.trends.data() + c * n + skipped, plan.low_shares[s],
                     stream.overlap.data() + row * plan.latency);
        }
}

// Separates the frame that is complete, and makes room for the next hop.
template <int N_LANES>
RTNMF_INLINE void hop_of(const Plan& plan, Stream& stream, int n_iter, float mask_power) {
    for (std::size_t row = 0; row < plan.n_sources * stream.n_channels; row++)
        advance(stream.overlap.data() + row * plan.latency, plan.latency, plan.hop_length);
    analyse<N_LANES>(plan, stream);
    if (stream.level > 0) {
        explain<N_LANES>(plan, stream, n_iter);
        mask<N_LANES>(plan, stream, mask_power);
    } else {
        std::fill(stream.h.begin(), stream.h.end(), 0.0f);
    }
    synthesise(plan, stream, !(stream.level > 0));
    for (std::size_t c = 0; c < stream.n_channels; c++)
        advance(stream.history.data() + c * plan.n_fft, plan.n_fft, plan.hop_length);
}

using Hop = void (*)(const Plan&, Stream&, int, float);

inline void hop_of_any_processor(const Plan& plan, Stream& stream, int n_iter, float mask_power) {
    hop_of<4>(plan, stream, n_iter, mask_power);
}

#if RTNMF_SEVERAL_PROCESSORS
__attribute__((target("avx2,fma"))) inline void hop_of_avx2(const Plan& plan, Stream& stream, int n_iter,
                                                            float mask_power) {
    hop_of<WIDEST>(plan, stream, n_iter, mask_power);
}
#endif

// The kinds of processors that the hop is compiled for.
enum class Processor { ANY, AVX2 };

// The best kind that this processor is of. Wider vectors than those of AVX2 would gain a tenth where they cost nothing,
// and slow down whatever else runs on processors that lower their clock for them.
inline Processor processor() {
#if RTNMF_SEVERAL_PROCESSORS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Processor::AVX2;
#endif
    return Processor::ANY;
}

// The hop that is compiled for a kind of processor.
inline Hop hop_for(Processor kind) {
#if RTNMF_SEVERAL_PROCESSORS
    if (kind == Processor::AVX2) return hop_of_avx2;
#endif
    static_cast<void>(kind);
    return hop_of_any_processor;
}

// A sample, 0 when it is not finite, too loud for a spectrum, or too quiet to matter.
RTNMF_INLINE float usable(float x) {
    const float size = x < 0 ? -x : x;
    return QUIETEST < size && size < LOUDEST ? x : 0.0f;
}

}  // namespace rtnmf
