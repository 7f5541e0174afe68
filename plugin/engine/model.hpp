// How a frame is explained: what a dictionary was learned for, and is streamed with. A port of rtnmf/frames/model.py.
#pragma once

#include "json.hpp"

namespace rtnmf {

constexpr int MOST_UPDATES = 1000;

// Settings by which the activations of a frame are found and made into masks; see rtnmf.frames.model.Model.
struct Model {
    int n_iter = 5;
    double relaxation = 1.7, memory = 0.9, reach = 1e-4;
    double weights[2] = {0.45, 0.85};
    double audible_hz = 10;
};

// Whether a number is neither below nor above two others, nor none.
inline bool is_within(double x, double least, double most) { return least <= x && x <= most; }

// A number as single precision has it.
inline double single(double x) { return static_cast<double>(static_cast<float>(x)); }

namespace reading {

[[noreturn]] inline void refuse_model(const std::string& text, const char* expected) {
    throw Refusal("model is " + quoted(text) + ", expected " + expected);
}

inline json::Number number_of(const json::Value* value, const std::string& text) {
    const json::Number* number = value ? value->as<json::Number>() : nullptr;
    if (!number)
        refuse_model(text, "the numbers n_iter, relaxation, memory, reach and audible_hz, and two numbers as weights");
    return *number;
}

// Returns the model that a text tells, or throws Refusal.
inline Model model_of(const std::string& text) {
    const json::Value value = json::read(text);
    const json::Object none, *given = value.as<json::Object>() ? value.as<json::Object>() : &none;
    const json::Value* listed = json::find(*given, "weights");
    const json::List* weights = listed ? listed->as<json::List>() : nullptr;
    const auto number = [&](const char* name) { return number_of(json::find(*given, name), text); };
    const json::Number n_iter = number("n_iter");
    Model model;
    model.relaxation = number("relaxation").value;
    model.memory = number("memory").value;
    model.reach = number("reach").value;
    model.audible_hz = number("audible_hz").value;
    if (given->size() != 6 || !weights || weights->size() != 2)
        refuse_model(text, "six entries, of which weights are two");
    for (int e = 0; e < 2; e++) model.weights[e] = number_of(&(*weights)[static_cast<std::size_t>(e)], text).value;
    if (!n_iter.is_whole || !is_within(n_iter.value, 1, MOST_UPDATES)) refuse_model(text, "n_iter from 1 to 1000");
    model.n_iter = static_cast<int>(n_iter.value);
    const double relaxation = single(model.relaxation), memory = single(model.memory);
    if (!is_within(relaxation, 1, 2) || relaxation == 2) refuse_model(text, "relaxation from 1 to below 2");
    if (!is_within(memory, 0, 1) || memory == 1) refuse_model(text, "memory from 0 to below 1");
    if (!is_within(single(model.reach), single(1e-12), 1)) refuse_model(text, "reach from 1e-12 to 1");
    if (!is_within(single(model.audible_hz), 0, 100)) refuse_model(text, "audible_hz from 0 to 100");
    for (double weight : model.weights)
        if (!is_within(single(weight), 0, 10) || single(weight) == 0) refuse_model(text, "weights above 0, at most 10");
    return model;
}

}  // namespace reading

}  // namespace rtnmf
