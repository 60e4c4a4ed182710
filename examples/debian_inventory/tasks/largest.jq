# The twelve largest packages.
.inputs.packages
| sort_by(-.size_kib, .name)
| .[:12]
| map({package: .name, version, section, size_kib})
