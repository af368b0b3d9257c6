/* soak_pattern.c - the bytes of a stream by position: a 64-bit word for each eight, made of the stream's key. */
#include "soak.h"

static uint64_t word_of(uint64_t key, uint64_t index)
{
    return pattern_mix(key + index * 0x9E3779B97F4A7C15u);
}

/* Bytes [offset, offset + n) up to the end of the word that offset lies in; n at most `bytes`. */
static size_t piece_of_word(uint64_t key, uint64_t offset, size_t bytes, uint8_t out[8], size_t *n)
{
    uint64_t word = word_of(key, offset / 8);
    size_t from = (size_t)(offset % 8);

    memcpy(out, &word, 8);
    *n = 8 - from < bytes ? 8 - from : bytes;
    return from;
}

void soak_fill(uint8_t *memory, size_t bytes, uint64_t key, uint64_t offset)
{
    while (bytes > 0) {
        uint8_t word[8];
        size_t n;
        size_t from = piece_of_word(key, offset, bytes, word, &n);

        memcpy(memory, word + from, n);
        memory += n;
        offset += n;
        bytes -= n;
    }
}

bool soak_check(const uint8_t *memory, size_t bytes, uint64_t key, uint64_t offset, uint64_t *where)
{
    while (bytes > 0) {
        uint8_t word[8];
        size_t n;
        size_t from = piece_of_word(key, offset, bytes, word, &n);

        if (memcmp(memory, word + from, n) != 0) {
            *where = offset;
            return false;
        }
        memory += n;
        offset += n;
        bytes -= n;
    }
    return true;
}
