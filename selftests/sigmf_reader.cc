// SPDX-License-Identifier: GPL-2.0
/*
 * usage: sigmf_reader FILE.sigmf-meta
 *
 * Prints what libsigmf understands of it, for tests: it knows nothing of ours.
 */
#include <sigmf/sigmf.h>
#include <fstream>
#include <iostream>

using Recording = sigmf::SigMF<sigmf::Global<sigmf::core::DescrT>,
			       sigmf::Capture<sigmf::core::DescrT>,
			       sigmf::Annotation<sigmf::core::DescrT>>;

static int print(Recording &recording)
{
	auto &global = recording.global.get<sigmf::core::DescrT>();

	std::cout << "version " << global.version << " datatype " << global.datatype
		  << " channels " << *global.num_channels << " rate "
		  << static_cast<uint64_t>(*global.sample_rate) << "\n";
	for (auto &extension : global.extensions)
		std::cout << "extension " << extension->name << "\n";
	for (auto &element : recording.captures) {
		auto &capture = element.get<sigmf::core::DescrT>();

		std::cout << "capture " << *capture.sample_start << " " << *capture.global_index
			  << " " << capture.datetime << "\n";
	}
	for (auto &element : recording.annotations) {
		auto &annotation = element.get<sigmf::core::DescrT>();

		std::cout << "annotation " << *annotation.sample_start << " "
			  << *annotation.sample_count << " " << annotation.label << "\n";
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::cerr << "usage: sigmf_reader FILE.sigmf-meta\n";
		return 2;
	}
	try {
		std::ifstream in(argv[1]);
		Recording recording;

		recording.from_json(nlohmann::json::parse(in));
		return print(recording);
	} catch (const std::exception &error) {
		std::cerr << "sigmf_reader: " << argv[1] << ": " << error.what() << "\n";
		return 1;
	}
}
