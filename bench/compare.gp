# compare.gp - plots of one compare session. usage: gnuplot -e "dir='RESULTS'; where='DEVICE'" compare.gp
# RESULTS/lat.dat and bw.dat: size, raw, san, perftest, rsockets, tcp; "nan" where nothing was measured.
set terminal svg size 860,560 dynamic background rgb 'white'
set datafile missing 'nan'
set grid
set key left top
set logscale x 2
set logscale y
set xlabel 'message size, bytes'
set style data linespoints
set xtics ('64' 64, '256' 256, '1K' 1024, '4K' 4096, '16K' 16384, '64K' 65536, '256K' 262144, '1M' 1048576)

set output dir.'/latency.svg'
set title 'Latency over size, one way, typical ('.where.')'
set ylabel 'us'
plot dir.'/lat.dat' using 1:2 title 'raw verbs' lw 2, '' using 1:3 title 'san (WSPSend)' lw 2, \
     '' using 1:4 title 'ib\_send\_lat' lw 2, \
     '' using 1:5 title 'rsockets' lw 2, '' using 1:6 title 'TCP' lw 2

set output dir.'/bandwidth.svg'
set title 'Throughput over size, one direction ('.where.')'
set ylabel 'MB/s (10^6)'
plot dir.'/bw.dat' using 1:2 title 'raw verbs' lw 2, '' using 1:3 title 'san (WSPSend)' lw 2, \
     '' using 1:4 title 'ib\_send\_bw' lw 2, \
     '' using 1:5 title 'rsockets' lw 2, '' using 1:6 title 'TCP' lw 2
