/* hf_import.h --- a Hugging Face folder to GGUF.
 *
 * Files come by name, each with its bytes: config.json, the weights (model.safetensors,
 * or shards with model.safetensors.index.json), the tokenizer (tokenizer.json or
 * tokenizer.model, tokenizer_config.json, chat_template.jinja) and
 * generation_config.json. Out comes one GGUF file through a sink, in order, with
 * llama.cpp's keys and tensor names; no more than one tensor is in memory at a time.
 *
 * Architectures (model_type): llama, mistral, gpt2, qwen2, qwen3, phi3, gemma2,
 * gemma3_text and gemma3 (its text model). What a config asks for and the engine's
 * architecture does not do (another activation, yarn, experts) is refused by name.
 * Trust:  every file is a stranger's. Owns: nothing after the call. */
#ifndef NLP_FORMAT_HF_IMPORT_H
#define NLP_FORMAT_HF_IMPORT_H

#include "format/gguf.h"

typedef struct NlpHfFile
{
	const char *name;			/* as in the folder: no slash, no ".." */
	const NlpSource *source;
} NlpHfFile;

/* How matrices are stored; vectors, norms and position tables are always f32. Rows
 * that a block type does not divide fall back to f16, as in llama.cpp's converter;
 * with the 4-bit types the word table and the output matrix become Q8_0. */
typedef enum NlpHfOutput
{
	NLP_HF_KEEP,				/* f32, f16 or bf16, as they are */
	NLP_HF_F16,
	NLP_HF_Q8_0,
	NLP_HF_Q4_0,
	NLP_HF_Q4_1
} NlpHfOutput;

/* "keep", "f16", "q8_0", "q4_0" or "q4_1"; false: none of them. */
extern bool nlp_hf_output_parse(const char *name, NlpHfOutput *output);

typedef struct NlpHfOptions
{
	NlpHfOutput output;
	const char *name;			/* general.name; NULL: none */
} NlpHfOptions;

/* Convert. done, when not NULL, grows with the weight bytes read, for progress.
 * NLP_ENOTFOUND names a file that is missing; on any error what the sink has is
 * garbage. */
extern NlpStatus nlp_hf_import(const NlpHfFile *files, size_t n_files, const NlpHfOptions *options,
							   const NlpEnv *env, const NlpSink *sink, volatile uint64_t *done, NlpError *err);

#endif
