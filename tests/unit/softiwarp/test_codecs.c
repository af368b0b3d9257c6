/* test_codecs.c - wire formats of softiwarp: known vectors, every bound of every field, input that ends too soon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/crc32c.h"
#include "softiwarp/bytes.h"
#include "softiwarp/ddp.h"
#include "softiwarp/mpa.h"
#include "softiwarp/ports.h"
#include "softiwarp/rdmap.h"
#include "softiwarp/settings.h"

/* ---- CRC ---- */

/* RFC 3720 B.4; the bytes there are the CRC low byte first. */
static void crc_gives_the_vectors_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    static const uint8_t read_pdu[48] = {0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                                         0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                                         0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    memset(ones, 0xff, sizeof ones);
    for (unsigned i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const uint8_t *data;
        size_t bytes;
        uint32_t crc;
    } vectors[] = {{zeros, 32, 0x8a9136aa},
                   {ones, 32, 0x62a8ab43},
                   {up, 32, 0x46dd794e},
                   {down, 32, 0x113fdb5c},
                   {read_pdu, 48, 0xd9963a56},
                   {(const uint8_t *)"123456789", 9, 0xe3069283},
                   {zeros, 0, 0}};
    print_message("           crc by %s\n", pal_crc32c_name());
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_int_equal(pal_crc32c(0, vectors[i].data, vectors[i].bytes), vectors[i].crc);
        assert_int_equal(pal_crc32c_tables(0, vectors[i].data, vectors[i].bytes), vectors[i].crc);
    }
}

/* One bit at a time, straight from the definition. */
static uint32_t crc_slow(const uint8_t *p, size_t n)
{
    uint32_t s = ~0u;
    for (size_t i = 0; i < n; i++) {
        s ^= p[i];
        for (unsigned b = 0; b < 8; b++)
            s = s & 1 ? (s >> 1) ^ 0x82F63B78u : s >> 1;
    }
    return ~s;
}

static void crc_is_the_same_for_any_length_alignment_and_split(void **state)
{
    (void)state;
    enum { BYTES = 20000 };
    uint8_t *mem = malloc(BYTES);
    uint32_t x = 7;
    assert_non_null(mem);
    for (unsigned i = 0; i < BYTES; i++)
        mem[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    /* around the block lengths of the fast form: 3 * 256, 3 * 2048 and their multiples */
    static const size_t lengths[] = {1,    7,    8,    9,    63,   767,  768,   769,   1536,
                                     6143, 6144, 6145, 6911, 6912, 6919, 12288, 12289, 19990};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t at = 0; at < 9; at++) {
            const size_t n = lengths[i];
            const uint32_t wanted = crc_slow(mem + at, n);
            assert_int_equal(pal_crc32c(0, mem + at, n), wanted);
            assert_int_equal(pal_crc32c_tables(0, mem + at, n), wanted);
            const size_t cut = (n * 37 + at) % (n + 1);
            assert_int_equal(pal_crc32c(pal_crc32c(0, mem + at, cut), mem + at + cut, n - cut), wanted);
        }
    free(mem);
}

/* ---- MPA request and reply ---- */

static void a_request_of_revision_1_is_laid_out_as_rfc_5044_says(void **state)
{
    (void)state;
    struct mpa_hello h = {.revision = 1, .wants_crc = true, .data_bytes = 3};
    uint8_t out[MPA_HELLO_MAX];
    static const uint8_t wanted[] = "MPA ID Req Frame\x40\x01\x00\x03xyz";
    assert_int_equal(mpa_hello_encode(&h, "xyz", out), 23);
    assert_memory_equal(out, wanted, 23);
}

static void a_reply_of_revision_2_is_laid_out_as_rfc_6581_says(void **state)
{
    (void)state;
    struct mpa_hello h = {.is_reply = true,
                          .revision = 2,
                          .wants_markers = true,
                          .is_reject = true,
                          .is_enhanced = true,
                          .ird = 0x1234,
                          .ord = 0x0102,
                          .is_peer_to_peer = true,
                          .rtr_write = true};
    uint8_t out[MPA_HELLO_MAX];
    static const uint8_t wanted[] = "MPA ID Rep Frame\xb0\x02\x00\x04\x92\x34\x81\x02";
    assert_int_equal(mpa_hello_encode(&h, NULL, out), 24);
    assert_memory_equal(out, wanted, 24);
}

static void every_combination_of_flags_depths_and_data_comes_back(void **state)
{
    (void)state;
    uint8_t out[MPA_HELLO_MAX], payload[MPA_DATA_MAX];
    const uint8_t *data;
    size_t frame;
    memset(payload, 0x5a, sizeof payload);
    for (unsigned bits = 0; bits < 512; bits++)
        for (unsigned depth = 0; depth < 3; depth++) {
            static const uint16_t depths[] = {0, 77, MPA_DEPTH_MAX}, sizes[] = {0, 1, 508};
            const bool v2 = bits & 1;
            struct mpa_hello h = {.is_reply = (bits & 2) != 0,
                                  .revision = v2 ? 2 : 1,
                                  .wants_markers = (bits & 4) != 0,
                                  .wants_crc = (bits & 8) != 0,
                                  .is_reject = (bits & 16) != 0 && (bits & 2),
                                  .is_enhanced = v2,
                                  .ird = v2 ? depths[depth] : 0,
                                  .ord = v2 ? depths[2 - depth] : 0,
                                  .is_peer_to_peer = v2 && (bits & 32),
                                  .rtr_send = v2 && (bits & 64),
                                  .rtr_write = v2 && (bits & 128),
                                  .rtr_read = v2 && (bits & 256),
                                  .data_bytes = sizes[depth]};
            struct mpa_hello back;
            size_t bytes = mpa_hello_encode(&h, payload, out);
            for (size_t n = 0; n < bytes; n++) /* any shorter: more is wanted */
                assert_int_equal(mpa_hello_decode(out, n, h.is_reply, &back, &data, &frame), MPA_MORE);
            assert_int_equal(mpa_hello_decode(out, bytes, h.is_reply, &back, &data, &frame), MPA_OK);
            assert_int_equal(frame, bytes);
            assert_int_equal(back.data_bytes, h.data_bytes);
            assert_memory_equal(data, payload, h.data_bytes);
            assert_true(back.is_reply == h.is_reply && back.revision == h.revision &&
                        back.wants_markers == h.wants_markers && back.wants_crc == h.wants_crc &&
                        back.is_reject == h.is_reject && back.is_enhanced == h.is_enhanced &&
                        back.ird == h.ird && back.ord == h.ord && back.is_peer_to_peer == h.is_peer_to_peer &&
                        back.rtr_send == h.rtr_send && back.rtr_write == h.rtr_write &&
                        back.rtr_read == h.rtr_read);
        }
}

static void frames_that_break_the_rules_are_named(void **state)
{
    (void)state;
    struct mpa_hello h = {.revision = 2, .is_enhanced = true}, back;
    uint8_t out[MPA_HELLO_MAX + 1] = {0};
    const uint8_t *data;
    size_t frame, bytes = mpa_hello_encode(&h, NULL, out);
    assert_int_equal(mpa_hello_decode(out, bytes, true, &back, &data, &frame), MPA_NOT_MPA);
    assert_int_equal(mpa_hello_decode((const uint8_t *)"GET / HTTP", 10, false, &back, &data, &frame),
                     MPA_NOT_MPA);
    assert_int_equal(mpa_hello_decode((const uint8_t *)"G", 1, false, &back, &data, &frame), MPA_NOT_MPA);
    put_be16(out + 18, 512);
    assert_int_equal(mpa_hello_decode(out, MPA_HELLO_MAX, false, &back, &data, &frame), MPA_OK);
    assert_int_equal(back.data_bytes, 508);
    put_be16(out + 18, 513);
    assert_int_equal(mpa_hello_decode(out, MPA_HELLO_MAX + 1, false, &back, &data, &frame), MPA_BAD_LENGTH);
    put_be16(out + 18, 3); /* the enhanced header needs four */
    assert_int_equal(mpa_hello_decode(out, 23, false, &back, &data, &frame), MPA_BAD_LENGTH);
    put_be16(out + 18, 4);
    for (unsigned revision = 0; revision < 256; revision++) {
        out[17] = (uint8_t)revision;
        enum mpa_verdict v = mpa_hello_decode(out, 24, false, &back, &data, &frame);
        assert_int_equal(v, revision == 1 || revision == 2 ? MPA_OK : MPA_BAD_REVISION);
        assert_int_equal(back.revision, revision);
    }
    out[17] = 1; /* in revision 1 S is reserved: the four bytes are private data */
    assert_int_equal(mpa_hello_decode(out, 24, false, &back, &data, &frame), MPA_OK);
    assert_false(back.is_enhanced);
    assert_int_equal(back.data_bytes, 4);
    out[16] = 0x20; /* R in a request is ignored */
    assert_int_equal(mpa_hello_decode(out, 24, false, &back, &data, &frame), MPA_OK);
    assert_false(back.is_reject);
}

/* ---- FPDU and markers ---- */

static void frames_are_padded_to_four_bytes(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= MPA_ULPDU_MAX; n++) {
        assert_true(mpa_pad(n) < 4);
        assert_int_equal((MPA_LENGTH_BYTES + n + mpa_pad(n)) % 4, 0);
        assert_int_equal(mpa_fpdu_bytes(n), 2 + n + mpa_pad(n) + 4);
    }
}

static void the_trailer_carries_the_crc_low_byte_first_and_finds_any_flipped_bit(void **state)
{
    (void)state;
    for (uint32_t ulpdu = 30; ulpdu < 34; ulpdu++) {
        uint8_t frame[64] = {0}, trailer[MPA_TRAILER_MAX];
        put_be16(frame, (uint16_t)ulpdu);
        uint32_t crc = pal_crc32c(0, frame, 2 + ulpdu);
        const unsigned pad = mpa_pad(ulpdu), bytes = mpa_trailer_encode(pad, true, crc, trailer);
        assert_int_equal(bytes, pad + 4);
        memcpy(frame + 2 + ulpdu, trailer, bytes);
        const uint32_t whole = pal_crc32c(0, frame, 2 + ulpdu + pad);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(trailer[pad + i], (whole >> (8 * i)) & 0xff);
        assert_true(mpa_trailer_check(pad, true, crc, trailer));
        for (unsigned bit = 0; bit < bytes * 8; bit++) {
            trailer[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(mpa_trailer_check(pad, true, crc, trailer));
            assert_true(mpa_trailer_check(pad, false, crc, trailer)); /* off: not looked at */
            trailer[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_false(mpa_trailer_check(pad, true, crc ^ 1, trailer));
        assert_int_equal(mpa_trailer_encode(pad, false, crc, trailer), bytes);
        for (unsigned i = 0; i < bytes; i++)
            assert_int_equal(trailer[i], 0);
    }
}

/* Five FPDUs with markers, laid out by hand after RFC 5044 4.1 to 4.4: where a marker falls in front of a frame, into a
 * segment, between padding and CRC, and between two frames. Segments are filled with 0x11, 0x22 ... */
enum { MARKED = 2156, MARKERS = 5 };
static const struct {
    unsigned at, segment_bytes, crc_at; /* of the length field and of the CRC */
    uint8_t crc[4];
} by_hand[] = {{4, 490, 496, {0x84, 0x2f, 0xea, 0xd8}},
               {500, 10, 516, {0xb8, 0x0a, 0xb0, 0x94}},   /* marker at 512, in front of the CRC */
               {520, 498, 1020, {0x9e, 0xc4, 0xa0, 0x4b}}, /* ends at 1024 */
               {1028, 3, 1036, {0x93, 0x16, 0x04, 0x28}},
               {1040, 1100, 2152, {0x21, 0x9b, 0x8f, 0x9d}}};
static const uint16_t markers_by_hand[MARKERS] = {0, 12, 0, 496, 1008}; /* at 0, 512, 1024, 1536, 2048 */

/* Returns the bytes that are not markers, which plain[] gets. */
static size_t lay_out_by_hand(uint8_t marked[MARKED], uint8_t *plain)
{
    size_t n = 0;
    memset(marked, 0, MARKED);
    for (unsigned i = 0; i < 5; i++) {
        put_be16(marked + by_hand[i].at, (uint16_t)by_hand[i].segment_bytes);
        for (unsigned at = by_hand[i].at + 2, left = by_hand[i].segment_bytes; left > 0; at++)
            if (at % 512 >= 4) {
                marked[at] = (uint8_t)(0x11 * (i + 1));
                left--;
            }
        memcpy(marked + by_hand[i].crc_at, by_hand[i].crc, 4);
    }
    for (unsigned i = 0; i < MARKERS; i++)
        put_be16(marked + i * 512 + 2, markers_by_hand[i]);
    for (unsigned at = 0; at < MARKED; at++)
        if (at % 512 >= 4)
            plain[n++] = marked[at];
    return n;
}

static void markers_come_out_however_the_stream_is_cut_and_the_crc_covers_them(void **state)
{
    (void)state;
    uint8_t marked[MARKED], plain[MARKED], piece[MARKED], got[MARKED], marker[4];
    const size_t bytes = lay_out_by_hand(marked, plain);
    assert_int_equal(bytes, MARKED - MARKERS * 4);
    for (unsigned i = 0; i < MARKERS; i++) {
        assert_int_equal(mpa_until_marker(i * 512), 0);
        assert_int_equal(mpa_until_marker(i * 512 + 4), 508);
        mpa_marker_encode(markers_by_hand[i], marker);
        assert_memory_equal(marker, marked + i * 512, 4);
    }
    for (unsigned cut = 1; cut <= MARKED; cut += cut < 20 ? 1 : 97) {
        struct mpa_unmarker u;
        size_t kept = 0;
        mpa_unmark_start(&u, true);
        for (size_t at = 0; at < MARKED; at += cut) {
            const size_t run = MARKED - at < cut ? MARKED - at : cut;
            memcpy(piece, marked + at, run);
            const size_t left = mpa_unmark(&u, piece, run);
            memcpy(got + kept, piece, left);
            kept += left;
        }
        assert_int_equal(u.fault, MPA_NO_FAULT);
        assert_int_equal(kept, bytes);
        assert_memory_equal(got, plain, bytes);
    }
}

/* One bit is wrong: what does it say, and how much is left? */
static enum mpa_fault unmark_flipped(const uint8_t *marked, unsigned byte, unsigned bit, bool with_crc,
                                     size_t *kept)
{
    uint8_t copy[MARKED];
    struct mpa_unmarker u;
    memcpy(copy, marked, MARKED);
    copy[byte] ^= (uint8_t)(1u << bit);
    mpa_unmark_start(&u, with_crc);
    *kept = mpa_unmark(&u, copy, MARKED);
    return u.fault;
}

static void a_marker_that_points_elsewhere_and_a_wrong_crc_end_the_stream_there(void **state)
{
    (void)state;
    uint8_t marked[MARKED], plain[MARKED];
    const size_t bytes = lay_out_by_hand(marked, plain);
    static const unsigned ends[MARKERS] = {496, 516, 1036, 2152,
                                           2152}; /* CRCs of the frames the markers are in */
    size_t kept;
    for (unsigned i = 0; i < MARKERS; i++)
        for (unsigned bit = 0; bit < 32; bit++) {
            const unsigned at = i * 512 + bit / 8;
            /* reserved, and the low two bits: only the CRC tells */
            const bool is_pointer = bit / 8 >= 2 && !(bit / 8 == 3 && bit % 8 < 2);
            const size_t in_front = i * 508, before_crc = ends[i] - (ends[i] / 512 + 1) * 4;
            assert_int_equal(unmark_flipped(marked, at, bit % 8, false, &kept),
                             is_pointer ? MPA_FAULT_MARKER : MPA_NO_FAULT);
            assert_int_equal(kept, is_pointer ? in_front : bytes);
            assert_int_equal(unmark_flipped(marked, at, bit % 8, true, &kept),
                             is_pointer ? MPA_FAULT_MARKER : MPA_FAULT_CRC);
            assert_int_equal(kept, is_pointer ? in_front : before_crc);
        }
    for (unsigned i = 0; i < 5; i++) { /* a segment, and the CRC itself */
        const size_t before_crc = by_hand[i].crc_at - (by_hand[i].crc_at / 512 + 1) * 4;
        assert_int_equal(unmark_flipped(marked, by_hand[i].at + 2, 3, true, &kept), MPA_FAULT_CRC);
        assert_int_equal(kept, before_crc);
        assert_int_equal(unmark_flipped(marked, by_hand[i].crc_at + i % 4, 7, true, &kept), MPA_FAULT_CRC);
        assert_int_equal(kept, before_crc);
        assert_int_equal(unmark_flipped(marked, by_hand[i].crc_at + i % 4, 7, false, &kept), MPA_NO_FAULT);
        assert_int_equal(kept, bytes);
    }
    /* a length one word longer, and the next marker does not fit it; one that no marker can point over */
    assert_int_equal(unmark_flipped(marked, by_hand[0].at + 1, 2, false, &kept), MPA_FAULT_MARKER);
    struct mpa_unmarker u;
    mpa_unmark_start(&u, false);
    static uint8_t large[70000];
    put_be16(large + 4, 0xffff);
    for (unsigned at = 512; at < sizeof large; at += 512)
        put_be16(large + at + 2, (uint16_t)(at - 4));
    assert_int_equal(mpa_unmark(&u, large, sizeof large), 128 * 508 + 508);
    assert_int_equal(u.fault, MPA_FAULT_MARKER);
}

/* ---- DDP and RDMAP ---- */

static void segment_headers_are_laid_out_as_rfc_5041_says(void **state)
{
    (void)state;
    uint8_t out[DDP_HEADER_MAX];
    static const uint8_t tagged[] = {0xc1, 0x40, 0xa1, 0xb2, 0xc3, 0xd4, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t untagged[] = {0x01, 0x43, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
    struct ddp_header h = {.is_tagged = true,
                           .is_last = true,
                           .opcode = RDMAP_WRITE,
                           .stag = 0xa1b2c3d4,
                           .to = 0x0102030405060708};
    assert_int_equal(ddp_header_encode(&h, out), 14);
    assert_memory_equal(out, tagged, 14);
    h = (struct ddp_header){.opcode = RDMAP_SEND, .stag = 9, .qn = 1, .msn = 2, .mo = 3};
    assert_int_equal(ddp_header_encode(&h, out), 18);
    assert_memory_equal(out, untagged, 18);
}

static void segment_headers_come_back_and_short_ones_are_refused(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            uint8_t in[DDP_HEADER_MAX];
            struct ddp_header h;
            for (unsigned i = 0; i < sizeof in; i++)
                in[i] = (uint8_t)(0xf0 + i);
            in[0] = (uint8_t)first;
            in[1] = (uint8_t)second;
            const unsigned need = first & 0x80 ? 14 : 18;
            assert_int_equal(ddp_header_bytes(in[0]), need);
            for (unsigned n = 0; n < need; n++)
                assert_false(ddp_header_decode(in, n, &h));
            assert_true(ddp_header_decode(in, need, &h));
            assert_int_equal(h.is_tagged, first >> 7);
            assert_int_equal(h.is_last, first >> 6 & 1);
            assert_int_equal(h.ddp_version, first & 3);
            assert_int_equal(h.rdmap_version, second >> 6);
            assert_int_equal(h.opcode, second & 15);
            assert_int_equal(h.stag, 0xf2f3f4f5);
        }
}

static void a_read_request_has_28_bytes_and_no_other_number(void **state)
{
    (void)state;
    struct rdmap_read_request r = {0x01020304, 0x1112131415161718, 0x21222324, 0x31323334,
                                   0x4142434445464748},
                              back;
    static const uint8_t wanted[] = {1,    2,    3,    4,    0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
                                     0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34,
                                     0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48};
    uint8_t out[RDMAP_READ_REQUEST_BYTES + 1];
    rdmap_read_request_encode(&r, out);
    assert_memory_equal(out, wanted, 28);
    for (size_t n = 0; n <= sizeof out; n++)
        assert_int_equal(rdmap_read_request_decode(out, n, &back), n == 28);
    assert_true(rdmap_read_request_decode(out, 28, &back));
    assert_int_equal(back.sink_stag, r.sink_stag);
    assert_true(back.sink_to == r.sink_to && back.source_to == r.source_to);
    assert_int_equal(back.bytes, r.bytes);
    assert_int_equal(back.source_stag, r.source_stag);
}

static void a_terminate_comes_back_with_what_it_carries_and_short_ones_are_refused(void **state)
{
    (void)state;
    for (unsigned with = 0; with < 4; with++) {
        struct rdmap_terminate t = {.error = TERM_DDP_BOUNDS}, back;
        uint8_t out[RDMAP_TERMINATE_MAX];
        if (with > 0) {
            struct ddp_header h = {.is_tagged = with == 1, .opcode = RDMAP_READ_REQUEST, .qn = 1, .stag = 5};
            t.has_segment = true;
            t.segment_bytes = 0x1234;
            t.header_bytes = (uint8_t)ddp_header_encode(&h, t.header);
            t.has_read_request = with == 3;
            memset(t.read_request, 0x77, sizeof t.read_request);
        }
        static const unsigned wanted[] = {4, 20, 24, 52};
        const unsigned n = rdmap_terminate_encode(&t, out);
        assert_int_equal(n, wanted[with]);
        assert_int_equal(out[0], 0x11); /* layer 1, type 1, code 1 */
        assert_int_equal(out[1], 0x01);
        for (unsigned i = 0; i < n; i++)
            assert_false(rdmap_terminate_decode(out, i, &back));
        assert_true(rdmap_terminate_decode(out, n, &back));
        assert_int_equal(back.error, t.error);
        assert_int_equal(back.has_segment, t.has_segment);
        assert_int_equal(back.segment_bytes, t.segment_bytes);
        assert_int_equal(back.header_bytes, t.header_bytes);
        assert_memory_equal(back.header, t.header, t.header_bytes);
        assert_int_equal(back.has_read_request, t.has_read_request);
    }
    for (unsigned e = 0; e < 0x10000; e++)
        assert_non_null(rdmap_error_text((uint16_t)e));
}

/* ---- ports ---- */

static void the_candidates_of_a_port_are_different_and_where_no_client_port_is(void **state)
{
    (void)state;
    unsigned first_hits[SI_PORT_COUNT] = {0};
    for (unsigned port = 1; port < 65536; port++) {
        for (unsigned i = 0; i < SI_PORT_CANDIDATES; i++) {
            const unsigned c = si_port_candidate((uint16_t)port, i);
            assert_true(c >= SI_PORT_FIRST && c < SI_PORT_FIRST + SI_PORT_COUNT);
            for (unsigned j = 0; j < i; j++)
                assert_int_not_equal(c, si_port_candidate((uint16_t)port, j));
        }
        first_hits[si_port_candidate((uint16_t)port, 0) - SI_PORT_FIRST]++;
    }
    for (unsigned i = 0; i < SI_PORT_COUNT; i++) /* 14.4 on average: nowhere a crowd */
        assert_true(first_hits[i] < 40);
    assert_int_equal(si_port_candidate(7000, 0),
                     61000 + (7000u * 2654435761u >> 16) % 4536); /* PROTOCOL.md 7 */
}

static void a_port_map_comes_back_and_nothing_else_passes_for_one(void **state)
{
    (void)state;
    uint8_t out[SI_MAP_BYTES];
    static const uint8_t wanted[] = {'W', 'S', 'D', 'i', 1, 1, 0x1b, 0x58, 0xc0, 0x01, 0, 0};
    struct si_map m = {.kind = SI_MAP_CONNECT, .service = 7000, .source = 49153}, back;
    si_map_encode(&m, out);
    assert_memory_equal(out, wanted, sizeof wanted);
    for (size_t n = 0; n < sizeof out; n++)
        assert_false(si_map_decode(out, n, &back));
    assert_true(si_map_decode(out, sizeof out, &back));
    assert_true(back.kind == m.kind && back.service == m.service && back.source == m.source);
    for (unsigned kind = 0; kind < 256; kind++) {
        out[5] = (uint8_t)kind;
        assert_int_equal(si_map_decode(out, sizeof out, &back), kind >= 1 && kind <= 4);
    }
    out[5] = 1;
    for (unsigned at = 0; at < 5; at++) {
        out[at] ^= 1;
        assert_false(si_map_decode(out, sizeof out, &back));
        out[at] ^= 1;
    }
}

/* ---- settings ---- */

static void settings_have_defaults_and_nonsense_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } bad[] = {{"WSD_SOFTIWARP_CRC", "maybe"},
               {"WSD_SOFTIWARP_PORTS", "7000"},
               {"WSD_SOFTIWARP_LOOPBACK", "off"},
               {"WSD_SOFTIWARP_MPA", "3"},
               {"WSD_SOFTIWARP_MPA", "0"},
               {"WSD_SOFTIWARP_FPDU", "65473"},
               {"WSD_SOFTIWARP_FPDU", "-1"},
               {"WSD_SOFTIWARP_FPDU", "1k"},
               {"WSD_SOFTIWARP_SNDBUF", " 1"},
               {"WSD_SOFTIWARP_DEAD_MS", "999"},
               {"WSD_SOFTIWARP_DEAD_MS", "3600001"},
               {"WSD_SOFTIWARP_MARKERS", "1"},
               {"WSD_SOFTIWARP_RTR", "no"},
               {"WSD_SOFTIWARP_READ_ALONG", "63"},
               {"WSD_SOFTIWARP_READ_ALONG", "1048577"}};
    static const char *const names[] = {
        "WSD_SOFTIWARP_CRC",     "WSD_SOFTIWARP_PORTS",  "WSD_SOFTIWARP_LOOPBACK",  "WSD_SOFTIWARP_MPA",
        "WSD_SOFTIWARP_FPDU",    "WSD_SOFTIWARP_SNDBUF", "WSD_SOFTIWARP_RCVBUF",    "WSD_SOFTIWARP_DEAD_MS",
        "WSD_SOFTIWARP_MARKERS", "WSD_SOFTIWARP_RTR",    "WSD_SOFTIWARP_READ_ALONG"};
    struct si_settings s;
    char why[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    assert_true(si_settings_read(&s, why, sizeof why));
    assert_true(s.wants_crc && !s.wants_markers && !s.has_plain_ports && !s.asks_no_rtr && s.revision == 2 &&
                s.loopback == SI_LOOPBACK_AUTO);
    assert_true(s.payload_max == 65472 && s.dead_peer_ms == 60000 && !s.send_buffer_bytes &&
                !s.recv_buffer_bytes);
    assert_int_equal(s.read_along, pal_socket_read_along());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv(bad[i].name, bad[i].value, 1);
        why[0] = 0;
        assert_false(si_settings_read(&s, why, sizeof why));
        assert_non_null(strstr(why, bad[i].name));
        assert_non_null(strstr(why, bad[i].value));
        unsetenv(bad[i].name);
    }
    setenv("WSD_SOFTIWARP_FPDU", "1", 1);
    assert_true(si_settings_read(&s, why, sizeof why));
    assert_int_equal(s.payload_max, 64);
    setenv("WSD_SOFTIWARP_FPDU", "0", 1); /* by the TCP segment */
    assert_true(si_settings_read(&s, why, sizeof why));
    assert_int_equal(s.payload_max, 0);
    unsetenv("WSD_SOFTIWARP_FPDU");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_gives_the_vectors_of_rfc_3720),
        cmocka_unit_test(crc_is_the_same_for_any_length_alignment_and_split),
        cmocka_unit_test(a_request_of_revision_1_is_laid_out_as_rfc_5044_says),
        cmocka_unit_test(a_reply_of_revision_2_is_laid_out_as_rfc_6581_says),
        cmocka_unit_test(every_combination_of_flags_depths_and_data_comes_back),
        cmocka_unit_test(frames_that_break_the_rules_are_named),
        cmocka_unit_test(frames_are_padded_to_four_bytes),
        cmocka_unit_test(the_trailer_carries_the_crc_low_byte_first_and_finds_any_flipped_bit),
        cmocka_unit_test(markers_come_out_however_the_stream_is_cut_and_the_crc_covers_them),
        cmocka_unit_test(a_marker_that_points_elsewhere_and_a_wrong_crc_end_the_stream_there),
        cmocka_unit_test(segment_headers_are_laid_out_as_rfc_5041_says),
        cmocka_unit_test(segment_headers_come_back_and_short_ones_are_refused),
        cmocka_unit_test(a_read_request_has_28_bytes_and_no_other_number),
        cmocka_unit_test(the_candidates_of_a_port_are_different_and_where_no_client_port_is),
        cmocka_unit_test(a_port_map_comes_back_and_nothing_else_passes_for_one),
        cmocka_unit_test(settings_have_defaults_and_nonsense_is_named),
        cmocka_unit_test(a_terminate_comes_back_with_what_it_carries_and_short_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
