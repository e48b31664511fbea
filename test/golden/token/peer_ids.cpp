// peer_ids.cpp --- llama.cpp's ids for the texts of lines.bin, as hashes.
//
// usage: peer_ids lines.bin GROUP file.gguf[,pre[,model]] ...
// Prints, for each file: "= name pre model texts group", then a 32-bit hash in hex for each
// GROUP texts. Special tokens are parsed in every second text (odd index). pre and
// model override tokenizer.ggml.pre and tokenizer.ggml.model, so that one vocabulary
// serves for every pre-tokenizer. The hash is FNV-1a over (number of ids, ids), each
// as four little-endian bytes, of the texts of the group.
//
// Build against the llama.cpp of llama-cpp-python 0.3.36:
//   g++ -O2 -std=c++17 -I$LLAMA/include -I$LLAMA/ggml/include peer_ids.cpp -L$BIN -lllama -lggml -lggml-base -o peer_ids
#include "llama.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

static uint32_t mix(uint32_t h, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        h = (h ^ ((v >> (8 * i)) & 255)) * 16777619u;
    return h;
}

static void override(llama_model_kv_override &o, const char *key, const std::string &value)
{
    memset(&o, 0, sizeof(o));
    o.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
    snprintf(o.key, sizeof(o.key), "%s", key);
    snprintf(o.val_str, sizeof(o.val_str), "%s", value.c_str());
}

static void one_file(const std::vector<std::string> &texts, size_t group, const std::string &arg)
{
    size_t c1 = arg.find(','), c2 = c1 == std::string::npos ? c1 : arg.find(',', c1 + 1);
    std::string path = arg.substr(0, c1);
    std::string pre = c1 == std::string::npos ? "" : arg.substr(c1 + 1, c2 == std::string::npos ? c2 : c2 - c1 - 1);
    std::string model = c2 == std::string::npos ? "" : arg.substr(c2 + 1);
    llama_model_kv_override over[3];
    memset(over, 0, sizeof(over));
    int n = 0;
    if (!pre.empty())
        override(over[n++], "tokenizer.ggml.pre", pre);
    if (!model.empty())
        override(over[n++], "tokenizer.ggml.model", model);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    params.kv_overrides = over;
    llama_model *m = llama_model_load_from_file(path.c_str(), params);
    if (!m) {
        fprintf(stderr, "cannot load %s\n", arg.c_str());
        return;
    }
    const llama_vocab *v = llama_model_get_vocab(m);
    std::string name = path.substr(path.rfind('/') + 1);
    printf("= %s %s %s %zu %zu\n", name.c_str(), pre.empty() ? "-" : pre.c_str(), model.empty() ? "-" : model.c_str(),
           texts.size(), group);
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < texts.size(); i++) {
        std::vector<llama_token> ids(texts[i].size() * 3 + 16);
        int k = llama_tokenize(v, texts[i].data(), (int) texts[i].size(), ids.data(), (int) ids.size(), true, i & 1);
        h = mix(h, (uint32_t) k);
        for (int j = 0; j < k; j++)
            h = mix(h, (uint32_t) ids[j]);
        if ((i + 1) % group == 0 || i + 1 == texts.size()) {
            printf("%08x\n", h);
            h = 2166136261u;
        }
    }
    llama_model_free(m);
}

int main(int argc, char **argv)
{
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    FILE *f = fopen(argv[1], "rb");
    std::string all;
    char buf[65536];
    for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
        all.append(buf, n);
    std::vector<std::string> texts;
    for (size_t i = 0; i < all.size();) {
        size_t e = all.find('\0', i);
        texts.push_back(all.substr(i, e - i));
        i = e + 1;
    }
    for (int i = 3; i < argc; i++)
        one_file(texts, (size_t) atoi(argv[2]), argv[i]);
}
